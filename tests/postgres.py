"""A real PostgreSQL server in a folder of its own, which knows one user and asks for a password."""

import contextlib
import glob
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.ports import free_port

PASSWORD = "of 3 words: p@ss/w%rd#?"  # which a URL would take for its own parts
PLACES = [*sorted(glob.glob("/usr/lib/postgresql/*/bin"), reverse=True), *os.environ.get("PATH", "").split(os.pathsep)]


@dataclass(frozen=True, slots=True)
class Server:
    """Where the server is."""

    port: int

    @property
    def environment(self) -> dict[str, str]:
        """What dagster.postgres.yaml takes from the environment."""
        named = {"HOST": "127.0.0.1", "PORT": str(self.port), "USER": "dagster", "PASSWORD": PASSWORD, "DB": "postgres"}
        return {f"DAGSTER_PG_{name}": value for name, value in named.items()}

    def ask(self, query: str, password: str = PASSWORD) -> list[tuple[Any, ...]]:
        """Rows of an answer, without Dagster."""
        import psycopg2

        with contextlib.closing(
            psycopg2.connect(host="127.0.0.1", port=self.port, user="dagster", password=password, dbname="postgres")
        ) as connection:
            cursor = connection.cursor()
            cursor.execute(query)
            return cursor.fetchall()


@contextlib.contextmanager
def running() -> Iterator[Server]:
    """The server, for as long as it is needed; skips the test where there is no PostgreSQL."""
    programs = next((place for place in PLACES if os.access(Path(place) / "initdb", os.X_OK)), None)
    if programs is None:
        pytest.skip("no PostgreSQL: install it (Debian: apt-get install postgresql)")
    folder = Path(tempfile.mkdtemp(prefix="antivenom-postgres-"))  # pytest's own folders are closed to other users
    (folder / "password").write_text(PASSWORD)
    server, whose = Server(free_port()), _whose(folder)
    control = [f"{programs}/pg_ctl", "--pgdata", str(folder / "data"), "--wait"]
    options = f"-p {server.port} -c listen_addresses=127.0.0.1 -c fsync=off -k {folder}"
    try:
        _run([f"{programs}/initdb", "--pgdata", str(folder / "data"), "--auth=scram-sha-256", "--username=dagster",
              f"--pwfile={folder / 'password'}", "--encoding=UTF8", "--locale=C", "--no-sync"], whose)  # fmt: skip
        _run([*control, "start", "--log", str(folder / "log"), "--options", options], whose)
        try:
            yield server
        finally:
            _run([*control, "stop", "--mode", "immediate"], whose)
    finally:
        shutil.rmtree(folder)


def _whose(folder: Path) -> dict[str, Any]:
    """Whom the server runs as: it refuses to be root."""
    if os.geteuid():
        return {}
    names = {entry.pw_name: entry for entry in pwd.getpwall()}
    user = names.get("postgres") or names["nobody"]
    for place in (folder, folder / "password"):
        os.chown(place, user.pw_uid, user.pw_gid)
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def _run(command: list[str], whose: dict[str, Any]) -> None:
    """Output goes to a file: a server that inherits a pipe would keep whoever reads it waiting."""
    with tempfile.TemporaryFile("w+") as said:
        done = subprocess.run(command, stdout=said, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, cwd="/", **whose)
        said.seek(0)
        assert done.returncode == 0, said.read()

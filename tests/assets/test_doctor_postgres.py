"""The doctor of runs that are kept in PostgreSQL: servers that let us in, don't, or are none."""

import socket
import struct
import sys
import threading
from contextlib import contextmanager

import pytest

from assets import doctor
from assets.doctor import postgres
from assets.doctor.findings import State

SECRET = "hunter2-Xq"
PSYCOPG2 = """
class Error(Exception):
    pass
class Connection:
    def close(self):
        pass
asked = []
def connect(**login):
    asked.append(login)
    if {refuses}:
        raise Error('FATAL: no such user\\n(' + repr(login) + ')')
    return Connection()
"""


@pytest.fixture
def kept_in(tmp_path, monkeypatch):
    """Writes a dagster.yaml; gives what the doctor finds of the storage."""
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))

    def found(text):
        (tmp_path / "dagster.yaml").write_text(text)
        return doctor.examine("storage")

    return found


@pytest.fixture
def driver(tmp_path, monkeypatch):
    """Stands in for dagster-postgres and its driver, neither of which is needed here; gives what it was asked."""

    def make(*, refuses=False):
        place = tmp_path / "site"
        place.mkdir()
        (place / "dagster_postgres.py").write_text("")
        (place / "psycopg2.py").write_text(PSYCOPG2.format(refuses=refuses))
        monkeypatch.syspath_prepend(place)
        for name in ("dagster_postgres", "psycopg2"):
            monkeypatch.setitem(sys.modules, name, None)  # so that what is imported now is forgotten afterwards
            del sys.modules[name]
        import psycopg2

        return psycopg2.asked

    return make


@contextmanager
def server(answer, *, family=socket.AF_INET, place=("127.0.0.1", 0)):
    """Answers whoever greets it as PostgreSQL is greeted; gives its address."""
    with socket.socket(family) as line:
        line.bind(place)
        line.listen()

        def serve():
            with line.accept()[0] as caller:
                if caller.recv(8) == struct.pack("!ii", 8, 80877103):
                    caller.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield line.getsockname()
        thread.join()


def closed_port():
    with socket.socket() as line:
        line.bind(("127.0.0.1", 0))
        return line.getsockname()[1]


def url(port, secret=SECRET, name="runs"):
    return f"storage:\n  postgres:\n    postgres_url: 'postgresql://me:{secret}@127.0.0.1:{port}/{name}'\n"


def test_a_server_that_lets_us_in_is_well(kept_in, driver):
    asked = driver()
    with server(b"N") as (_, port):
        found = kept_in(url(port))
    assert (found.state, found.said) == (State.WELL, f"PostgreSQL at 127.0.0.1:{port}, runs, lets us in")
    assert asked == [{"dsn": f"postgresql://me:{SECRET}@127.0.0.1:{port}/runs", "connect_timeout": postgres.PATIENCE}]


def test_a_closed_port_is_ill(kept_in):
    port = closed_port()
    found = kept_in(url(port))
    assert found.state == State.ILL
    assert found.said.startswith(f"PostgreSQL at 127.0.0.1:{port}, runs: nothing answers (")
    assert "start the server" in found.mend
    assert SECRET not in found.said + found.mend


def test_a_server_that_says_nothing_is_not_waited_for(kept_in, monkeypatch):
    monkeypatch.setattr(postgres, "PATIENCE", 0.2)
    with socket.socket() as line:
        line.bind(("127.0.0.1", 0))
        line.listen()
        found = kept_in(url(line.getsockname()[1]))
    assert (found.state, found.said.split(": ")[-1]) == (State.ILL, "nothing answers (timed out)")


def test_another_kind_of_server_is_ill(kept_in):
    with server(b"HTTP/1.1 400 Bad Request") as (_, port):
        found = kept_in(url(port))
    assert (found.state, found.said) == (State.ILL, f"PostgreSQL at 127.0.0.1:{port}, runs: what answers is no PostgreSQL")


def test_without_its_package_dagster_could_not_ask(kept_in, monkeypatch):
    monkeypatch.setitem(sys.modules, "dagster_postgres", None)
    with server(b"S") as (_, port):
        found = kept_in(url(port))
    assert (found.state, found.mend.split(" in ")[0]) == (State.ILL, "pip install dagster-postgres")


def test_who_is_not_let_in_is_told_why_without_the_password(kept_in, driver):
    driver(refuses=True)
    with server(b"N") as (_, port):
        found = kept_in(url(port))
    assert found.state == State.ILL
    assert "lets nobody in: FATAL: no such user" in found.said
    assert "user, password and name" in found.mend
    assert SECRET not in found.said + found.mend


PARTS = """
storage:
  postgres:
    postgres_db:
      username: me
      password: {env: RUNS_PW}
      hostname: 127.0.0.1
      port: %d
      db_name: runs
      params: {sslmode: require}
"""


def test_parts_and_the_environment_make_an_address(kept_in, driver, monkeypatch):
    asked = driver(refuses=True)
    monkeypatch.setenv("RUNS_PW", SECRET)  # by its name alone it could be anything
    with server(b"N") as (_, port):
        found = kept_in(PARTS % port)
    login = {"host": "127.0.0.1", "port": port, "dbname": "runs", "user": "me", "password": SECRET, "sslmode": "require"}
    assert asked == [{**login, "connect_timeout": postgres.PATIENCE}]
    assert SECRET not in found.said + found.mend


def test_what_the_environment_lacks_is_named(kept_in, monkeypatch):
    monkeypatch.delenv("RUNS_PW", raising=False)
    found = kept_in(PARTS % 5432)
    assert (found.state, "RUNS_PW, which is not set" in found.said) == (State.ILL, True)


def test_the_older_form_and_a_unix_socket_are_understood(kept_in, driver, tmp_path):
    driver()
    part = "run_storage:\n  module: dagster_postgres.run_storage\n  class: PostgresRunStorage\n  config:\n    "
    with server(b"N", family=socket.AF_UNIX, place=str(tmp_path / ".s.PGSQL.5433")):
        found = kept_in(f"{part}postgres_url: postgresql+psycopg2://me:{SECRET}@:5433/runs?host={tmp_path}\n")
    assert (found.state, found.said) == (State.WELL, f"PostgreSQL at {tmp_path}:5433, runs, lets us in")


def test_sqlite_and_what_is_not_known_are_said(kept_in, tmp_path):
    assert kept_in("").said == f"SQLite in {tmp_path}, which is made when Dagster first starts"
    assert kept_in(f"storage:\n  sqlite:\n    base_dir: {tmp_path}/runs\n").said.startswith(f"SQLite in {tmp_path}/runs")
    assert "of your own" in kept_in("storage:\n  custom:\n    module: mine\n    class: Mine\n").said

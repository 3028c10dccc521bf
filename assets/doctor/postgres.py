"""Dagster's runs in PostgreSQL: whether the server answers and lets us in. Only host, port and name are said of its address."""

import os
import socket
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from assets.doctor.findings import Finding, hushed, ill, well
from pipelines.schema import DataError

PATIENCE = 5  # seconds
GREETING = struct.pack("!ii", 8, 80877103)  # SSLRequest: a PostgreSQL server answers S or N, and asks for no password yet
WRITTEN = "storage.postgres takes postgres_url: postgresql://USER:PASSWORD@HOST:5432/NAME, or the parts under postgres_db"


@dataclass(frozen=True, slots=True)
class Address:
    """Where the server is, how psycopg2 is told so, and what of that is never shown."""

    host: str
    port: int
    name: str
    login: Mapping[str, Any] = field(repr=False)
    secret: str = field(repr=False)


def settings(config: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """What dagster.yaml says of PostgreSQL, or none where it says nothing."""
    unified = config.get("storage")
    if isinstance(unified, dict) and "postgres" in unified:
        return dict(unified["postgres"] or {})
    for name in ("run_storage", "event_log_storage", "schedule_storage"):
        part = config.get(name)
        if isinstance(part, dict) and str(part.get("module", "")).startswith("dagster_postgres"):
            return dict(part.get("config") or {})
    return None


def reached(given: Mapping[str, Any]) -> Finding:
    """Whether the server answers, and whether Dagster could log in."""
    try:
        address = _address(given)
    except DataError as error:
        return ill("storage", str(error), WRITTEN)
    said = f"PostgreSQL at {address.host}:{address.port}, {address.name}"
    if why := _silent(address):
        return ill(
            "storage", f"{said}: {why}", "start the server, or mend host and port in dagster.yaml; is a firewall between?"
        )
    if find_spec("dagster_postgres") is None:
        mend = "pip install dagster-postgres in the version that goes with dagster's"
        return ill("storage", f"{said} answers, but dagster-postgres is not installed", mend)
    if why := _refused(address):
        return ill("storage", f"{said} answers, but lets nobody in: {why}", "mend user, password and name in dagster.yaml")
    return well("storage", f"{said}, lets us in")


def value(setting: Any) -> Any:
    """A setting, or what the environment holds where it says {env: NAME}. DataError where that is not set."""
    if not isinstance(setting, dict) or set(setting) != {"env"}:
        return setting
    found = os.environ.get(str(setting["env"]))
    if found is None:
        raise DataError(f"dagster.yaml takes a setting from {setting['env']}, which is not set; export it")
    return found


def _address(given: Mapping[str, Any]) -> Address:
    if "postgres_url" in given:
        return _of_url(str(value(given["postgres_url"])))
    parts = {name: value(each) for name, each in dict(given.get("postgres_db") or {}).items()}
    host, port, name = parts.get("hostname") or "localhost", parts.get("port") or 5432, str(parts.get("db_name") or "")
    secret = str(parts.get("password") or "")
    login = {"host": host, "port": port, "dbname": name, "user": parts.get("username"), "password": secret}
    return _checked(host, port, name, {**login, **dict(parts.get("params") or {})}, secret)


def _of_url(url: str) -> Address:
    """User and password end at the last @, so that no letter of an odd password is taken for a host."""
    scheme, has_scheme, rest = url.partition("://")
    if not has_scheme or not scheme.startswith("postgres"):
        raise DataError("postgres_url is no address of PostgreSQL")
    before, _, after = rest.rpartition("@")
    secret = unquote(before.partition(":")[2])
    try:
        found = urlsplit(f"//{after}")
        host, port = found.hostname, found.port
    except ValueError:
        raise DataError(
            "postgres_url has no host and port that can be read; percent-encode odd letters of its password"
        ) from None
    login = {"dsn": f"postgresql://{rest}"}  # without a driver's name, which SQLAlchemy alone understands
    beside = parse_qs(found.query).get("host", ["localhost"])[0]
    return _checked(host or beside, port or 5432, unquote(found.path.strip("/")), login, secret)


def _checked(host: Any, port: Any, name: str, login: Mapping[str, Any], secret: str) -> Address:
    try:
        number = int(port)
    except (TypeError, ValueError):
        raise DataError("the port of PostgreSQL in dagster.yaml is no whole number") from None
    known = {key: each for key, each in login.items() if each}
    return Address(str(host), number, name or "the user's own database", {"connect_timeout": PATIENCE, **known}, secret)


def _silent(address: Address) -> str:
    """Why no PostgreSQL answers, or nothing if one does."""
    try:
        with _connected(address) as line:
            line.sendall(GREETING)
            answer = line.recv(1)
    except OSError as error:
        return hushed(f"nothing answers ({error})")
    return "" if answer in (b"S", b"N") else "what answers is no PostgreSQL"


def _connected(address: Address) -> socket.socket:
    if not address.host.startswith("/"):
        return socket.create_connection((address.host, address.port), PATIENCE)
    line = socket.socket(socket.AF_UNIX)
    line.settimeout(PATIENCE)
    try:
        line.connect(f"{address.host}/.s.PGSQL.{address.port}")
    except OSError:
        line.close()
        raise
    return line


def _refused(address: Address) -> str:
    """Why the server lets us not in, or nothing if it does."""
    import psycopg2  # comes with dagster-postgres

    try:
        psycopg2.connect(**address.login).close()
    except psycopg2.Error as error:
        return hushed(str(error), address.secret)
    return ""

"""Tries the sandbox on this machine: hostile programs against real targets, which are held to what they were afterwards."""

import os
import socket
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.sandbox.hostile import HOSTILE, Hostile
from pipelines.sandbox.running import End, Limits, run

LIMITS = Limits(cpu=1, wall=4, memory=256 << 20)  # of programs that never end by themselves
PATIENT = Limits(cpu=1, wall=60, memory=256 << 20)  # of all others, however busy the machine is
UNTOUCHED, MODE = "untouched", 0o644


@dataclass(frozen=True, slots=True)
class Tried:
    """How one hostile program ended; `escaped` says what it got, in words, and is empty where it was contained."""

    name: str
    about: str
    end: str
    seconds: float
    escaped: str


@dataclass(frozen=True, slots=True)
class Targets:
    """What is attacked: servers that nobody has called yet, a file, and this process."""

    servers: Mapping[str, socket.socket]
    file: Path
    socket: str

    def places(self) -> dict[str, object]:
        """Where they are, by the names that hostile programs have for them."""
        port = self.servers["the port"].getsockname()[1]
        return {"PORT": port, "SOCKET": self.socket, "FILE": self.file, "PARENT": os.getpid()}

    def touched(self) -> str:
        """What an attack reached, in words; nothing where all is as it was."""
        found = [name for name, server in self.servers.items() if _was_called(server)]
        if self.file.read_text() != UNTOUCHED or self.file.stat().st_mode & 0o777 != MODE:
            found.append("a file outside")
        return ", ".join(found)


def tried(
    watch: Callable[[str, int, int], None] = lambda *_: None, *, programs: Mapping[str, Hostile] = HOSTILE
) -> list[Tried]:
    """A row a hostile program; one that could not be run, because walls are missing, was not contained."""
    rows = []
    for done, (name, hostile) in enumerate(programs.items(), 1):
        with targets() as aimed:
            limits = LIMITS if End.TIMEOUT in hostile.ends else PATIENT
            ran = run(hostile.aimed(aimed.places()), limits=limits)
            touched = aimed.touched()
        said = [f"reached {touched}"] if touched else []
        if b"ESCAPED" in ran.stdout:
            said.append("got what it wanted")
        if ran.end is End.REFUSED:
            said.append(f"not run: {ran.stderr}")
        elif ran.end not in hostile.ends:
            said.append(f"expected to end with {' or '.join(sorted(hostile.ends))}")
        rows.append(Tried(name, hostile.about, str(ran.end), ran.seconds, "; ".join(said)))
        watch("hostile programs", done, len(programs))
    return rows


@contextmanager
def targets() -> Iterator[Targets]:
    """A port, two sockets and a file in a folder of their own."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="targets-")))
        path = str(folder / "socket")
        kinds: dict[str, tuple[int, int, Any]] = {
            "the port": (socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", 0)),
            "a socket": (socket.AF_UNIX, socket.SOCK_STREAM, path),
            "an abstract socket": (socket.AF_UNIX, socket.SOCK_STREAM, "\0" + path),
        }
        servers = {}
        for name, (family, kind, address) in kinds.items():
            servers[name] = stack.enter_context(socket.socket(family, kind))
            servers[name].bind(address)
            servers[name].listen()
            servers[name].setblocking(False)
        datagrams = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        datagrams.bind(servers["the port"].getsockname())
        datagrams.setblocking(False)
        file = folder / "file"
        file.write_text(UNTOUCHED)
        file.chmod(MODE)
        yield Targets({**servers, "the port for datagrams": datagrams}, file, path)


def _was_called(server: socket.socket) -> bool:
    try:
        server.recv(16) if server.type == socket.SOCK_DGRAM else server.accept()[0].close()
    except BlockingIOError:
        return False
    return True

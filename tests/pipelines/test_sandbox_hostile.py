"""Programs that attack what runs them: none gets out, whichever of the walls stands alone, and none leaves anything behind."""

import os
import socket
import threading
from pathlib import Path

import pytest

from pipelines.sandbox import LAYERS, Limits, run, strength
from pipelines.sandbox.hostile import HOSTILE

QUICK = Limits(cpu=1, wall=1.6, memory=256 << 20)
WALLS = {"all": LAYERS, "namespaces": ("namespaces",), "without namespaces": ("landlock", "seccomp")}


@pytest.fixture
def targets(tmp_path, monkeypatch):
    """What is attacked, and what became of it: servers that keep what they receive, a file, the parent."""
    heard: list[str] = []
    path = str(tmp_path / "socket")
    (file := tmp_path / "file").write_text("untouched")
    file.chmod(0o644)
    monkeypatch.chdir(tmp_path)
    servers = {
        "tcp": (socket.socket(), ("127.0.0.1", 0)),
        "unix": (socket.socket(socket.AF_UNIX), path),
        "abstract": (socket.socket(socket.AF_UNIX), "\0" + path),
    }
    for name, (server, address) in servers.items():
        server.bind(address)
        server.listen()
        threading.Thread(target=_accepting, args=(server, name, heard), daemon=True).start()
    port = servers["tcp"][0].getsockname()[1]
    datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    datagrams.bind(("127.0.0.1", port))
    datagrams.setblocking(False)
    yield {"PORT": port, "SOCKET": path, "FILE": file, "PARENT": os.getpid()}, heard, datagrams
    for server, _ in servers.values():
        server.shutdown(socket.SHUT_RDWR)
        server.close()
    datagrams.close()


def _accepting(server: socket.socket, name: str, heard: list[str]) -> None:
    try:
        server.accept()[0].close()
        heard.append(name)
    except OSError:
        pass


def left_behind() -> list[str]:
    """Processes of a sandbox, zombies of ours included."""
    found = []
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            words = status.read_text()
            is_zombie = "State:\tZ" in words and f"PPid:\t{os.getpid()}\n" in words
            if is_zombie or b"/sandbox/inside" in (status.parent / "cmdline").read_bytes():
                found.append(words)
        except OSError:
            continue
    return found


@pytest.mark.parametrize("walls", WALLS)
@pytest.mark.parametrize("name", HOSTILE)
def test_it_is_contained(name, walls, targets):
    places, heard, datagrams = targets
    if missing := set(WALLS[walls]) - set(strength(WALLS[walls])["layers"]):
        pytest.skip(f"this kernel gives no {', '.join(missing)}")
    before = set(os.listdir("."))
    hostile = HOSTILE[name]
    ran = run(hostile.aimed(places), limits=QUICK, layers=WALLS[walls])
    assert ran.end in hostile.ends, ran
    assert b"ESCAPED" not in ran.stdout
    assert len(ran.stdout) <= QUICK.output
    assert ran.seconds < QUICK.wall + 3
    assert heard == []
    with pytest.raises(BlockingIOError):
        datagrams.recv(10)
    assert places["FILE"].read_text() == "untouched"
    assert places["FILE"].stat().st_mode & 0o777 == 0o644
    assert set(os.listdir(".")) == before
    assert left_behind() == []


def test_the_attacks_would_succeed_outside(targets):
    """Or their failure in the sandbox would prove nothing."""
    import subprocess
    import sys

    places, heard, datagrams = targets
    for name in (
        "tcp",
        "udp",
        "unix_socket",
        "abstract_socket",
        "write_outside",
        "change_outside",
        "read_outside",
        "read_passwords",
    ):
        done = subprocess.run([sys.executable, "-c", HOSTILE[name].aimed(places)], capture_output=True)
        assert done.returncode == 0, (name, done.stderr)
    assert datagrams.recv(10) == b"hello"
    assert places["FILE"].read_text() == "x"
    for _ in range(100):
        if len(heard) == 3:
            break
        threading.Event().wait(0.05)
    assert sorted(heard) == ["abstract", "tcp", "unix"]

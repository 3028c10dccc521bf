"""Programs that attack what runs them: none gets out, whichever of the walls stands alone, and none leaves anything behind."""

import contextlib
import os
import socket
import threading
from pathlib import Path

import pytest

from pipelines.sandbox import LAYERS, End, Limits, run, strength
from pipelines.sandbox.hostile import HOSTILE

QUICK = Limits(cpu=1, wall=1.6, memory=256 << 20)  # of programs that never end by themselves
PATIENT = Limits(cpu=1, wall=60, memory=256 << 20)  # of all others, however busy the machine is
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


def left_behind(seconds: float = 5.0) -> list[str]:
    """Processes of a sandbox that are still there after so long, zombies of ours included; other tests may have theirs."""
    for _ in range(int(seconds / 0.05)):
        if not (found := [words for pid, words in _statuses().items() if _is_ours(pid, words)]):
            return []
        threading.Event().wait(0.05)
    return found


def _statuses() -> dict[int, str]:
    found = {}
    for status in Path("/proc").glob("[0-9]*/status"):
        with contextlib.suppress(OSError):
            found[int(status.parent.name)] = status.read_text()
    return found


def _is_ours(pid: int, words: str) -> bool:
    """A zombie of this process, or a run that this process began, or that nobody waits for any more."""
    if "State:\tZ" in words:
        return _parent(words) == os.getpid()
    if not _is_of_a_sandbox(pid):
        return False
    while pid > 1 and _is_of_a_sandbox(pid):
        try:
            pid = _parent(Path(f"/proc/{pid}/status").read_text())
        except OSError:
            return False  # it is going as we look
    return pid in (1, os.getpid())


def _parent(words: str) -> int:
    return int(words.partition("PPid:\t")[2].split()[0])


def _is_of_a_sandbox(pid: int) -> bool:
    try:
        return b"/sandbox/inside" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


@pytest.mark.parametrize("walls", WALLS)
@pytest.mark.parametrize("name", HOSTILE)
def test_it_is_contained(name, walls, targets):
    places, heard, datagrams = targets
    if missing := set(WALLS[walls]) - set(strength(WALLS[walls])["layers"]):
        pytest.skip(f"this kernel gives no {', '.join(missing)}")
    before = set(os.listdir("."))
    hostile = HOSTILE[name]
    limits = QUICK if End.TIMEOUT in hostile.ends else PATIENT
    ran = run(hostile.aimed(places), limits=limits, layers=WALLS[walls])
    assert ran.end in hostile.ends, ran
    assert b"ESCAPED" not in ran.stdout
    assert len(ran.stdout) <= limits.output
    assert ran.seconds < limits.wall + 10
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

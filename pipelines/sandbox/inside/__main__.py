"""Runs one untrusted program, walled in as well as this kernel allows: `python inside FD`; a script, no package.

FD holds the job, written by marshal, and takes the report in its place, a line a word and its values. The walls are
namespaces, Landlock and a seccomp filter: each holds by itself where the others are not to be had.
"""

from __future__ import annotations

import _signal as signal  # the public module, typing and json take longer to load than all the rest, in each and every run
import marshal
import os
import resource
import sys

import landlock
import namespaces
import seccomp
from kernel import LIBC, drop_capabilities, must

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

SET_PARENT_DEATH, SET_DUMPABLE, SET_NO_NEW_PRIVILEGES = 1, 4, 38
FIRST_USER = 1 << 30  # a user of its own for each run where we are root: limits on processes bind it, and count it alone


def main(exchange: int) -> None:
    """Outside: forks the supervisor, ends it with the first SIGTERM, and is the last to go."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})  # until there is a child to end
    job = marshal.loads(os.pread(exchange, os.fstat(exchange).st_size, 0))
    job["user"] = FIRST_USER + os.getpid()
    LIBC.prctl(SET_PARENT_DEATH, signal.SIGTERM)
    if os.getppid() != job["parent"]:
        sys.exit("whoever asked for this run is no more")
    LIBC.prctl(SET_DUMPABLE, 0)  # nobody else may look into the supervisors
    layers = []
    if "namespaces" in job["layers"] and _tried(namespaces.enter):
        layers.append("namespaces")
    child = _forked(lambda: _supervise(exchange, job, layers)) if layers else _program(exchange, job, layers)

    def end(*_: object) -> None:
        os.kill(child, signal.SIGKILL)

    signal.signal(signal.SIGTERM, end)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    if layers:
        os.waitpid(child, 0)
    else:
        _report(exchange, child)


def _supervise(exchange: int, job: dict[str, Any], layers: list[str]) -> None:
    """The first process of the namespaces: whatever else lives there dies with it."""
    os.setsid()  # a program that ends its whole group must not reach what waits outside
    LIBC.prctl(SET_PARENT_DEATH, signal.SIGKILL)
    namespaces.make_root(job["readable"], job["folder_bytes"], job["folder_files"])
    _report(exchange, _program(exchange, job, layers))


def _report(exchange: int, program: int) -> None:
    """Waits for the program and says how it ended."""
    while True:
        pid, status, used = os.wait4(-1, 0)
        if pid == program:
            break
    _say(exchange, "exit", os.waitstatus_to_exitcode(status))
    _say(exchange, "cpu", used.ru_utime + used.ru_stime)


def _program(exchange: int, job: dict[str, Any], layers: list[str]) -> int:
    """The pid of a process in which the program runs once every wall stands; a missing wall is reported instead."""
    os.ftruncate(exchange, 0)
    return _forked(lambda: _run(exchange, job, layers))


def _run(exchange: int, job: dict[str, Any], layers: list[str]) -> None:
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    writable = [namespaces.FOLDER] if "namespaces" in layers else []
    own_user = "namespaces" in layers and os.getuid() == 0 and _tried(lambda: _become(job["user"]))
    LIBC.prctl(SET_PARENT_DEATH, signal.SIGKILL)
    drop_capabilities()
    must(LIBC.prctl(SET_NO_NEW_PRIVILEGES, 1, 0, 0, 0))
    _limit(job["limits"])
    for name, build in {"landlock": lambda: landlock.build(job["readable"], writable), "seccomp": seccomp.build}.items():
        if name in job["layers"] and _tried(build):
            layers.append(name)
    missing = set(job["closed"]) - {each for layer in layers for each in job["closes"][layer]}
    _say(exchange, "layers", *layers)
    _say(exchange, "own_user", *(["yes"] if own_user else []))
    _say(exchange, "missing", *sorted(missing))
    if missing:
        sys.exit("not run")
    os.close(exchange)
    os.environ.clear()
    _execute(job["program"])


def _execute(program: str) -> None:
    """As `python program.py` would; whatever it raises ends the process in the interpreter's own way."""
    for ours in ("kernel", "landlock", "namespaces", "seccomp"):
        del sys.modules[ours]
    module = sys.modules["__main__"] = type(sys)("__main__")
    sys.argv = ["program.py"]
    exec(compile(program, "program.py", "exec"), module.__dict__)


def _become(user: int) -> None:
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)


def _limit(limits: dict[str, int]) -> None:
    for name, most in limits.items():
        resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (most, most))


def _say(exchange: int, name: str, *values: object) -> None:
    os.pwrite(exchange, (" ".join([name, *map(str, values)]) + "\n").encode(), os.fstat(exchange).st_size)


def _forked(work: Callable[[], None]) -> int:
    """The pid of a child that does `work`, and ends as the interpreter would with whatever that raises."""
    child = os.fork()
    if child:
        return child
    work()
    sys.exit(0)


def _tried(build: Callable[[], None]) -> bool:
    """Whether a wall could be built."""
    try:
        build()
    except OSError:
        return False
    return True


if __name__ == "__main__":
    sys.path.pop(0)  # this folder: it is no business of the program's
    main(int(sys.argv[1]))

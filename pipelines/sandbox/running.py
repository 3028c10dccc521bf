"""Runs untrusted Python programs in processes of their own, and says how each ended."""

import marshal
import os
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, fields
from enum import StrEnum
from pathlib import Path
from typing import Any

from pipelines.schema import DataError

LAUNCHER = Path(__file__).with_name("inside")
# What each layer alone keeps closed; a program runs only where all is closed, or what is not was named by the caller.
CLOSES = {
    "namespaces": ("network", "files", "processes"),
    "landlock": ("files",),
    "seccomp": ("network", "processes"),
}
LAYERS = tuple(CLOSES)
CLOSED = ("network", "files", "processes")
GRACE = 5.0  # seconds that the supervisor has to end a program that ran out of time; its process group is killed after that


class End(StrEnum):
    """How a run ended."""

    OK = "ok"  # the program ended by itself and says that all is well
    CRASH = "crash"  # an exception, another exit status than 0, a signal
    TIMEOUT = "timeout"  # of the processor or of the clock
    OUT_OF_MEMORY = "out_of_memory"
    OUTPUT_LIMIT = "output_limit"
    REFUSED = "refused"  # it was not run: the walls asked for can't be had here


@dataclass(frozen=True, slots=True)
class Limits:
    """What one run may use: seconds of the processor and of the clock, bytes of memory, of any one file and of the folder."""

    cpu: int = 2
    wall: float = 10.0
    memory: int = 1 << 30
    output: int = 1 << 20
    threads: int = 32
    open_files: int = 32
    folder: int = 8 << 20
    folder_files: int = 64

    def __post_init__(self) -> None:
        for field in fields(self):
            if not getattr(self, field.name) > 0:
                raise DataError(f"{field.name} is a limit and must be above 0, got {getattr(self, field.name)}; raise it")


@dataclass(frozen=True, slots=True)
class Ran:
    """One run: its output in bytes, the end of what it wrote to stderr, what it took, and the walls that stood."""

    end: End
    stdout: bytes
    stderr: str
    exit: int | None
    seconds: float
    cpu: float
    layers: tuple[str, ...]
    own_user: bool


def run(
    program: str,
    stdin: bytes = b"",
    *,
    limits: Limits = Limits(),
    layers: Sequence[str] = LAYERS,
    leave_open: Sequence[str] = (),
) -> Ran:
    """Runs `program` as a file of Python's with `stdin`; the standard library is all that it can import or read.

    Its end is REFUSED where this machine can't close the network, the files or the processes outside to it, unless
    `leave_open` names what may stay open. Raises DataError on an unknown name, and off Linux.
    """
    for name, known in {**dict.fromkeys(layers, LAYERS), **dict.fromkeys(leave_open, CLOSED)}.items():
        if name not in known:
            raise DataError(f"a sandbox is made of {', '.join(known)}, got {name!r}; correct the name")
    if not hasattr(os, "memfd_create"):
        raise DataError(f"programs are run on Linux only, got {sys.platform}; use a Linux machine or container")
    job = {
        "program": program,
        "parent": os.getpid(),
        "layers": list(layers),
        "closes": {name: list(closed) for name, closed in CLOSES.items()},
        "closed": [each for each in CLOSED if each not in leave_open],
        "readable": _readable(),
        "folder_bytes": limits.folder,
        "folder_files": limits.folder_files,
        "limits": {
            "CORE": 0,
            "CPU": limits.cpu,
            "AS": limits.memory,
            "FSIZE": limits.output,
            "NOFILE": limits.open_files,
            "NPROC": limits.threads,
        },
    }
    return _ran(job, stdin, limits)


def run_all(jobs: Iterable[tuple[str, bytes]], *, limits: Limits = Limits(), workers: int = 2) -> list[Ran]:
    """Runs of (program, stdin) in their order, `workers` at a time."""
    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(lambda job: run(*job, limits=limits), jobs))


def strength(layers: Sequence[str] = LAYERS) -> dict[str, Any]:
    """What stands between a program and this machine: the layers it gives, what they close, and a user for each run."""
    ran = run("", layers=layers, leave_open=CLOSED)
    closed = [each for each in CLOSED if any(each in CLOSES[layer] for layer in ran.layers)]
    return {"layers": list(ran.layers), "closed": closed, "own_user": ran.own_user}


def _ran(job: dict[str, Any], stdin: bytes, limits: Limits) -> Ran:
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="program-"))
        # Files in memory rather than pipes: nothing waits on a full pipe, and the limit on a file's size binds the output.
        given, out, err, exchange = (_memory(stack, data) for data in (stdin, b"", b"", marshal.dumps(job)))
        start = time.monotonic()
        process = subprocess.Popen(
            # As -I does, but for the environment, which is ours: a fixed hash seed, so that a set has one order.
            [os.path.realpath(sys.executable), "-s", "-P", "-B", "-S", str(LAUNCHER), str(exchange)],
            stdin=given,
            stdout=out,
            stderr=err,
            cwd=folder,
            env={"PYTHONHASHSEED": "0"},
            pass_fds=(exchange,),
            start_new_session=True,
            umask=0o022,
        )
        try:
            is_late = not _is_over(process, limits.wall)
        finally:
            _end(process)
        seconds = time.monotonic() - start
        report, printed, told = _report(exchange), _content(out), _content(err)[-2000:].decode(errors="replace")
    code = int(report["exit"][0]) if "exit" in report else None
    cpu = float(report["cpu"][0]) if "cpu" in report else 0.0
    if report.get("missing") != []:
        end = End.REFUSED
    elif len(printed) >= limits.output:
        end = End.OUTPUT_LIMIT
    elif is_late or (code is not None and code < 0 and cpu > limits.cpu - 0.1):
        end = End.TIMEOUT
    elif code == 0:
        end = End.OK
    else:
        last = told.rstrip().rpartition("\n")[2]
        end = End.OUT_OF_MEMORY if last.startswith("MemoryError") else End.CRASH
    return Ran(end, printed, told, code, seconds, cpu, tuple(report.get("layers", [])), bool(report.get("own_user")))


def _is_over(process: subprocess.Popen[bytes], seconds: float) -> bool:
    """Whether it ends within so many seconds; woken by the kernel, where Popen.wait would look again and again."""
    watch = os.pidfd_open(process.pid)
    try:
        poll = select.poll()
        poll.register(watch, select.POLLIN)
        return bool(poll.poll(seconds * 1000))
    finally:
        os.close(watch)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ends what still runs, and reaps it."""
    if process.poll() is None:
        process.terminate()
        if not _is_over(process, GRACE):
            os.killpg(process.pid, 9)
        process.wait()


def _memory(stack: ExitStack, data: bytes) -> int:
    """A file in memory that holds `data`, read from its beginning."""
    number = os.memfd_create("sandbox")
    stack.callback(os.close, number)
    with open(number, "r+b", closefd=False) as file:
        file.write(data)
    os.lseek(number, 0, os.SEEK_SET)
    return number


def _content(number: int) -> bytes:
    return os.pread(number, os.fstat(number).st_size, 0)


def _report(exchange: int) -> dict[str, list[str]]:
    """What the supervisor said, a word with its values each; nothing where it never came so far as to take the job's place."""
    text = _content(exchange)
    return {word: values for word, *values in map(str.split, text.decode().splitlines())} if text[:6] == b"layers" else {}


def _readable() -> list[str]:
    """Folders of the interpreter and its libraries, none of them within another, and the links to them."""
    named = {path for path in ("/lib", "/lib64", "/usr/lib", sys.base_prefix, sys.base_exec_prefix) if os.path.isdir(path)}
    folders = {os.path.realpath(path) for path in named}
    outer = {path for path in folders if not any(path.startswith(other + "/") for other in folders)}
    return sorted(outer | {path for path in named if os.path.islink(path)})

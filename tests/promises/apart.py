"""Commands in processes of their own, which are killed, or whose disk is full, at the n-th change that they make to it."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
TRIES = int(os.environ.get("ANTIVENOM_TRIES", "1"))  # how many times as often as by default tests try
ROOM = 64  # MiB of the small disk
MOUNTS = """
mount -t tmpfs -o size="$1"m none "$2" && mount --bind "$3" "$3" && mount -o remount,bind,ro "$3" || exit 99
shift 3
exec "$@"
"""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended: its exit code, or minus the signal that killed it, and how many changes it had made by then."""

    code: int
    changes: int
    out: str
    err: str

    @property
    def was_killed(self) -> bool:
        return self.code == -signal.SIGKILL


class Apart:
    """A warm process in `folder`, with disks of its own where it may mount any: `room` is small, `fixed` read-only."""

    def __init__(self, folder: Path, *, mounts: bool = True) -> None:
        self.said, self.room, self.fixed, self.has_mounts = folder / "said", folder / "room", folder / "fixed", mounts
        for place in (self.said, self.room, self.fixed):
            place.mkdir(exist_ok=True)
        surroundings = {**os.environ, "LD_PRELOAD": str(compiled(folder)), "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        surroundings |= {"ANTIVENOM_CACHE": str(folder / "cache"), "CUDA_VISIBLE_DEVICES": "", "TQDM_DISABLE": "1"}
        warm = [sys.executable, str(HERE / "warm.py")]
        own = ["unshare", "--mount", *(["--map-root-user"] if os.getuid() else []), "sh", "-c", MOUNTS, "sh", str(ROOM)]
        command = [*own, str(self.room), str(self.fixed), *warm] if mounts else warm
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self.process = subprocess.Popen(command, cwd=ROOT, env=surroundings, **pipes)
        self.hello = self.process.stdout.readline()

    def __call__(
        self,
        *words: object,
        below: Path,
        harm: str = "nothing",
        moment: int = 0,
        user: int = 0,
        call: str = "tests.promises.deeds:antivenom",
        **surroundings: str,
    ) -> Ended:
        """Runs antivenom, or another `call`, with these words; changes are counted, and harmed, `below` a folder."""
        order = {"call": call, "words": [str(word) for word in words], "below": str(below), "harm": harm, "moment": moment}
        order |= {"user": user, "said": str(self.said), "surroundings": surroundings}
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        told = json.loads(self.process.stdout.readline())
        return Ended(told["code"], told["changes"], *((self.said / name).read_text() for name in ("out", "err")))

    def seen(self, place: Path) -> Path:
        """A path on the warm process's own disks, as others reach it."""
        return Path(f"/proc/{self.process.pid}/root{place}")

    def fill(self, left: int) -> Path:
        """The file that leaves so many bytes of the small disk free, as others reach it."""
        filler = self.seen(self.room) / "filler"
        with filler.open("wb") as file:
            about = os.statvfs(filler)
            os.posix_fallocate(file.fileno(), 0, about.f_bavail * about.f_bsize - left)
        return filler

    def needs_mounts(self) -> None:
        """Skips a test where this machine lets nobody mount."""
        if not self.has_mounts:
            pytest.skip("a small disk and a read-only one: this machine lets nobody mount any (unshare --mount)")

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait(120)


def started(folder: Path) -> Apart:
    """With disks of its own, or without where the machine allows none."""
    made = Apart(folder)
    return made if made.hello else Apart(folder, mounts=False)


def compiled(folder: Path) -> Path:
    """harm.c, which needs the C compiler that `make` needs."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("what harms processes is compiled: install a C compiler")
    library = folder / "harm.so"
    subprocess.run([compiler, "-O1", "-shared", "-fPIC", "-o", library, HERE / "harm.c", "-ldl"], check=True)
    return library


def moments(count: int, changes: int) -> Sequence[int]:
    """`count` of the changes 1 .. `changes`, evenly, the first and the last among them; all where there are no more."""
    return sorted({1 + round(at * (changes - 1) / (count - 1)) for at in range(count)})

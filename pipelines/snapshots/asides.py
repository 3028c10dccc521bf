"""Folders that are written into beside the one that they become: held while somebody writes, cleared away once nobody does."""

import fcntl
import glob
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

MARK = 8  # letters that tell one writer's folder from another's


@contextmanager
def aside(folder: Path) -> Iterator[Path]:
    """A new folder beside, whatever is in which is gone at the end; so are those of commands that were killed."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    for left in folder.parent.glob(f".{glob.escape(folder.name)}.{'[0-9a-f]' * MARK}"):
        with suppress(OSError), _locked(left, fcntl.LOCK_NB):  # held, gone by now, or on a disk that knows no locks
            shutil.rmtree(left, ignore_errors=True)
    with ExitStack() as held:
        yield _made(folder, held)


def discard(spent: Path, of: Path) -> None:
    """Takes away what the folder `of` was made in, under another name first, so that nobody goes on with half of it."""
    shutil.rmtree(spent.rename(_name(of)))


def _name(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.{uuid.uuid4().hex[:MARK]}")


def _made(folder: Path, held: ExitStack) -> Path:
    """A folder that is held; another one where somebody took it for left behind before it was."""
    made = _name(folder)
    made.mkdir()
    with suppress(OSError):
        held.enter_context(_locked(made))
    if not made.is_dir():
        return _made(folder, held)
    held.callback(shutil.rmtree, made, ignore_errors=True)
    return made


@contextmanager
def _locked(folder: Path, how: int = 0) -> Iterator[None]:
    """Ours alone until the end, or until our process is no more."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | how)
        yield
    finally:
        os.close(handle)

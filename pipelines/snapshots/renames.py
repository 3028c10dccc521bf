"""Changes of names, and of small files, that others see whole or not at all."""

import ctypes
import os
import uuid
from pathlib import Path

from pipelines.snapshots import disk

_HERE = -100  # AT_FDCWD: paths are relative to the working directory
_EXCHANGE = 2  # RENAME_EXCHANGE


def exchange(one: Path, other: Path) -> None:
    """Both trade places at once, so that neither name is ever empty; where the system can't, by two renames in a row."""
    if exchanged(one, other):
        return
    aside = one.with_name(f"{one.name}.{uuid.uuid4().hex[:8]}")
    other.rename(aside)
    one.rename(other)
    aside.rename(one)


def exchanged(one: Path, other: Path) -> bool:
    """Whether both traded places at once; where the system can't, nothing has moved."""
    call = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    return call is not None and call(_HERE, os.fsencode(one), _HERE, os.fsencode(other), _EXCHANGE) == 0


def written(file: Path, text: str) -> None:
    """The text as a file, in the place of what stood there; DataError where its disk takes none."""
    with disk.told(file):
        file.parent.mkdir(parents=True, exist_ok=True)
        aside = file.with_name(f".{file.name}.{uuid.uuid4().hex[:8]}")
        try:
            aside.write_text(text)
            aside.replace(file)
        finally:
            aside.unlink(missing_ok=True)


def point(link: Path, target: str) -> None:
    """A symbolic link in the place of whatever link stood there."""
    aside = link.with_name(f".{link.name}.{uuid.uuid4().hex[:8]}")
    aside.symlink_to(target)
    aside.replace(link)

"""Trouble with a disk in words: full, or not to be written to, whoever tells it."""

import errno
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipelines.schema import DataError

FULL = (errno.ENOSPC, errno.EDQUOT)
CLOSED = (errno.EACCES, errno.EPERM, errno.EROFS)
UNSAID = "thrift: transport error"  # of polars, whatever kept it from writing the end of a table
PROBE = 2**20  # bytes, more than the end of a table has
IN_WORDS = re.compile(r"(?:\(os error |\[Errno )(\d+)[)\]]")  # of libraries in Rust, and of many errors told as one


@contextmanager
def told(place: Path) -> Iterator[None]:
    """DataError in place of what a full disk, or a `place` that can't be written to, makes of whatever writes there.

    A library may not say what kept it from writing: then the disk is asked, which must still be as full as it was.
    """
    try:
        yield
    except DataError:
        raise
    except Exception as error:
        said = full(error, place) or _closed(error, place)
        if said is None:
            raise
        raise DataError(said) from error


def full(error: Exception, place: Path) -> str | None:
    """What happened and what to do, where an error says that a disk is full."""
    if (_asked(place) if UNSAID in str(error) else _number(error)) not in FULL:
        return None
    return (
        f"{place}: no room is left on its disk ({_free(place)} free); make room, or name a folder on another disk, and run the "
        "same again: what was published before is as it was"
    )


def _closed(error: Exception, place: Path) -> str | None:
    """The same of a place that we may not write to: there or beside, or on the way there."""
    if not isinstance(error, OSError) or error.errno not in CLOSED or error.filename is None:
        return None
    named, wanted = Path(os.fsdecode(error.filename)).absolute(), place.absolute()
    if not named.is_relative_to(wanted.parent) and not wanted.is_relative_to(named):
        return None
    return f"{place}: can't be written to ({error.strerror}); name a folder that you may write to"


def _number(error: Exception) -> int | None:
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno
    found = IN_WORDS.search(str(error))
    return int(found[1]) if found else None


def _asked(place: Path) -> int | None:
    """What keeps us from writing to a disk, by number; nothing may."""
    try:
        with tempfile.TemporaryFile(dir=_there(place)) as file:
            file.write(bytes(PROBE))
            file.flush()
    except OSError as error:
        return error.errno
    return None


def _free(place: Path) -> str:
    return f"{shutil.disk_usage(_there(place)).free / 2**20:,.1f} MiB"


def _there(place: Path) -> Path:
    """The folder of the place that is there already."""
    return next(folder for folder in (place.absolute(), *place.absolute().parents) if folder.is_dir())

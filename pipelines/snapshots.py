"""Published folders: written aside, sealed with a manifest of digests, and put in place by one rename.

Nothing half-written is ever visible under the published name; a folder that is not ours is never replaced.
"""

import hashlib
import json
import shutil
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pipelines.schema import DataError

MANIFEST = "manifest.json"


@contextmanager
def staged(folder: Path, **facts: Any) -> Iterator[Path]:
    """An empty folder to write into; it becomes `folder` when the block ends well and is gone when it does not.

    `facts` stand in the manifest beside the digests. An earlier publication of ours at `folder` is replaced.
    """
    _check_place(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    aside = folder.with_name(f".{folder.name}.{uuid.uuid4().hex[:8]}")
    aside.mkdir()
    try:
        yield aside
        _seal(aside, facts)
        _put(aside, folder)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def manifest(folder: Path) -> Mapping[str, Any]:
    """What was published: files with their digests, and facts."""
    try:
        return json.loads((folder / MANIFEST).read_text())
    except (OSError, ValueError) as error:
        raise DataError(f"{folder}: no readable {MANIFEST} ({error}); expected a folder that antivenom published") from None


def verify(folder: Path) -> Mapping[str, Any]:
    """The manifest, after every file was found to be as published; DataError names the first that is not."""
    found = manifest(folder)
    for name, digest in found["files"].items():
        file = folder / name
        if not file.is_file() or digest_of(file) != digest:
            raise DataError(f"{file}: {'changed since it was published' if file.is_file() else 'missing'}; make it again")
    return found


def digest_of(file: Path) -> str:
    """SHA-256 of a file, in hex."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _check_place(folder: Path) -> None:
    if folder.is_dir() and any(folder.iterdir()) and not (folder / MANIFEST).is_file():
        raise DataError(f"{folder}: exists and was not published by antivenom; name another --out or clear it away")
    if folder.exists() and not folder.is_dir():
        raise DataError(f"{folder}: is a file; --out names a folder")


def _seal(folder: Path, facts: Mapping[str, Any]) -> None:
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    digests = {file.relative_to(folder).as_posix(): digest_of(file) for file in files}
    (folder / MANIFEST).write_text(json.dumps({**facts, "files": digests}, indent=1, sort_keys=True) + "\n")


def _put(aside: Path, folder: Path) -> None:
    old = folder.with_name(f".{folder.name}.{uuid.uuid4().hex[:8]}.old")
    if folder.exists():
        folder.rename(old)
    aside.rename(folder)
    shutil.rmtree(old, ignore_errors=True)

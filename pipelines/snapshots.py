"""Published folders: written aside, sealed with a manifest of digests, and put in place by one rename.

Nothing half-written is ever visible under the published name; what is not an older version of the same is never replaced.
"""

import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pipelines.schema import DataError

MANIFEST = "manifest.json"


@contextmanager
def staged(
    folder: Path, kind: str, facts: Mapping[str, Any] | None = None, *, inputs: Iterable[str | Path] = ()
) -> Iterator[Path]:
    """An empty folder to write into; it becomes `folder` when the block ends well and is gone when it does not.

    `kind` and the `facts`, as they are at the end, stand in the manifest beside the digests. What stood at `folder` is
    replaced if it is an earlier publication of the same kind, whole and our own, and holds none of the `inputs`.
    """
    _check_place(folder, kind, inputs)
    folder.parent.mkdir(parents=True, exist_ok=True)
    aside = folder.with_name(f".{folder.name}.{uuid.uuid4().hex[:8]}")
    aside.mkdir()
    try:
        yield aside
        _seal(aside, {**(facts or {}), "kind": kind})
        _put(aside, folder)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def manifest(folder: Path) -> Mapping[str, Any]:
    """What was published: files with their digests, and facts."""
    try:
        found = json.loads((folder / MANIFEST).read_text())
        if not isinstance(found["files"], dict):
            raise TypeError("files is no table")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{folder}: no readable {MANIFEST} ({error}); expected a folder that antivenom published") from None
    return found


def is_published(folder: Path) -> bool:
    """Whether a manifest of ours stands in the folder."""
    try:
        return "kind" in manifest(folder)
    except DataError:
        return False


def verify(folder: Path) -> Mapping[str, Any]:
    """The manifest, after every file was found to be as published; DataError names the first that is not."""
    found = manifest(folder)
    for name, digest in found["files"].items():
        file = folder / name
        if not file.is_file() or digest_of(file) != digest:
            raise DataError(f"{file}: {'changed since it was published' if file.is_file() else 'missing'}; make it again")
    return found


def learned_poison(model: Path) -> bool:
    """Whether the manifest of a model's folder says so; of a folder without one nothing is known."""
    return is_published(model) and bool(manifest(model).get("poisoned"))


def digest_of(file: Path) -> str:
    """SHA-256 of a file, in hex."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def digests_of(*places: str | Path) -> list[str]:
    """Of files, and of all in folders in the order of their names; of what is not on this machine, none."""
    found = []
    for place in (Path(each) for each in places if each):
        files = sorted(place.rglob("*")) if place.is_dir() else [place]
        found += [digest_of(file) for file in files if file.is_file()]
    return found


def _check_place(folder: Path, kind: str, inputs: Iterable[str | Path]) -> None:
    mend = "name another --out or clear it away"
    if folder.exists() and not folder.is_dir():
        raise DataError(f"{folder}: is a file; --out names a folder")
    if not folder.is_dir() or not any(folder.iterdir()):
        return
    if not (folder / MANIFEST).is_file():
        raise DataError(f"{folder}: exists and was not published by antivenom; {mend}")
    for name in inputs:
        if os.path.exists(name) and Path(name).resolve().is_relative_to(folder.resolve()):
            raise DataError(f"{folder}: holds {name}, which is read here and would be replaced; name another --out")
    found = manifest(folder)
    if found.get("kind") != kind:
        raise DataError(f"{folder}: holds {found.get('kind')!r} and not {kind!r}; {mend}")
    added = sorted(_names(folder) - found["files"].keys() - {MANIFEST})
    if added:
        raise DataError(f"{folder}: holds {added[0]}, which antivenom did not publish; {mend}")


def _names(folder: Path) -> set[str]:
    return {file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()}


def _seal(folder: Path, facts: Mapping[str, Any]) -> None:
    digests = {name: digest_of(folder / name) for name in sorted(_names(folder))}
    (folder / MANIFEST).write_text(json.dumps({**facts, "files": digests}, indent=1, sort_keys=True) + "\n")


def _put(aside: Path, folder: Path) -> None:
    old = folder.with_name(f".{folder.name}.{uuid.uuid4().hex[:8]}.old")
    if folder.exists():
        folder.rename(old)
    aside.rename(folder)
    shutil.rmtree(old, ignore_errors=True)

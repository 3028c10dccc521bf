"""Publishing a folder: written aside, sealed with a manifest, and put in place by one rename.

Nothing half-written is ever visible under the published name; what is not an older version of the same is never replaced.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from pipelines.schema import DataError
from pipelines.snapshots import disk, renames
from pipelines.snapshots.asides import aside as written_aside
from pipelines.snapshots.manifests import (
    MANIFEST,
    code,
    is_published,
    manifest,
    names,
    of_poison,
    parents_of,
    read_of,
    seal,
    verify,
)
from pipelines.snapshots.signatures import sign_as_told

#: the command that publishes now, and what it was given, so that it can be given again
RECIPE: ContextVar[Mapping[str, Any] | None] = ContextVar("recipe", default=None)


@contextmanager
def staged(
    folder: Path, kind: str, facts: Mapping[str, Any] | None = None, *, inputs: Iterable[str | Path] = ()
) -> Iterator[Path]:
    """An empty folder to write into; it becomes `folder` when the block ends well and is gone when it does not.

    `kind`, what the `inputs` were and the `facts`, as they are at the end, stand in the manifest beside the digests; what is
    made of something poisoned says so. What stood at `folder` is replaced if it is an earlier publication of the same kind,
    whole and our own, and holds none of the `inputs`.
    """
    given = list(inputs)
    _check_place(folder, kind, given)
    with disk.told(folder), written_aside(folder) as aside, disk.told(folder):
        parents, read = parents_of(given), read_of(given)
        inherited: dict[str, Any] = {"poisoned": True} if any(map(of_poison, given)) else {}
        if recipe := RECIPE.get():
            inherited["recipe"] = recipe
        yield aside
        seal(aside, {**(facts or {}), **inherited, "kind": kind, "parents": parents, "read": read})
        sign_as_told(aside)
        _put(aside, folder)


def unchanged(folder: Path, *, inputs: Iterable[str | Path] = ()) -> Mapping[str, Any] | None:
    """What stands in the folder, where the command that runs now would make the same of the same inputs by the same code.

    DataError where a file of it has changed since.
    """
    if RECIPE.get() is None or not is_published(folder):
        return None
    found = manifest(folder)
    same = found.get("recipe") == RECIPE.get() and found.get("code") == dict(code())
    return verify(folder) if same and found.get("parents") == parents_of(inputs) else None


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
    if added := sorted(names(folder) - found["files"].keys()):
        raise DataError(f"{folder}: holds {added[0]}, which antivenom did not publish; {mend}")


def _put(aside: Path, folder: Path) -> None:
    try:
        aside.rename(folder)
    except OSError:  # something stands there, perhaps since a moment: it goes with the folder aside
        if not folder.is_dir():
            raise
        renames.exchange(aside, folder)

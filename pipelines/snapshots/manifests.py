"""What a published folder says of itself: every file's digest, every table's columns, rows and pairs, what it was made of and
by which code. The digest of all that is the snapshot's name; the digest of its files alone says whether content changed.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import polars as pl

from pipelines.schema import DataError
from pipelines.snapshots import membership
from pipelines.snapshots.wellformed import check

MANIFEST = "manifest.json"
SIGNATURE = "manifest.sig"  # of the manifest, and so of all; no part of what it signs
BESIDE = frozenset({MANIFEST, SIGNATURE})
ROOMS = ("assets", "checks", "pipelines", "rlhf_train")


def seal(folder: Path, facts: Mapping[str, Any]) -> Mapping[str, Any]:
    """The manifest of all files of a folder, in which it stands then; beside each table of pairs stands which they are."""
    tables = {name: _described(folder, name) for name in sorted(names(folder)) if name.endswith(".parquet")}
    files = {name: digest_of(folder / name) for name in sorted(names(folder))}
    said = {**facts, "files": files, "tables": tables, "content": digest_of_facts(files), "code": dict(code())}
    found: dict[str, Any] = json.loads(json.dumps(said))  # as whoever reads it finds it
    found["snapshot"] = digest_of_facts(found)
    (folder / MANIFEST).write_text(json.dumps(found, indent=1, sort_keys=True) + "\n")
    return found


def manifest(folder: Path) -> Mapping[str, Any]:
    """What was published: files with their digests, and facts."""
    try:
        found = json.loads((folder / MANIFEST).read_text())
        check(found)
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise DataError(f"{folder}: no readable {MANIFEST} ({error}); expected a folder that antivenom published") from None
    return found


def is_foreign(folder: Path) -> bool:
    """Whether what is called as our manifest is JSON of somebody else's, as many programs write it."""
    try:
        found = json.loads((folder / MANIFEST).read_text())
    except (OSError, ValueError, RecursionError):
        return False
    return not isinstance(found, dict) or not {"files", "kind"} <= found.keys()


def is_published(folder: Path) -> bool:
    """Whether a manifest of ours stands in the folder."""
    try:
        return "kind" in manifest(folder)
    except DataError:
        return False


def verify(folder: Path) -> Mapping[str, Any]:
    """The manifest, after it and every file were found to be as published; DataError names the first that is not."""
    found = manifest(folder)
    plain = {name: value for name, value in found.items() if name != "snapshot"}
    if found.get("snapshot") != digest_of_facts(plain):
        raise DataError(f"{folder / MANIFEST}: changed since it was published; make it again")
    for name, digest in found["files"].items():
        file = folder / name
        if file.is_symlink():
            raise DataError(f"{file}: is a link, and what it leads to may change; make it again")
        if not file.is_file() or digest_of(file) != digest:
            raise DataError(f"{file}: {'changed since it was published' if file.is_file() else 'missing'}; make it again")
    if added := sorted(names(folder) - found["files"].keys()):
        raise DataError(f"{folder / added[0]}: was not there when this was published; take it away")
    return found


def published_around(place: str | Path) -> Path | None:
    """The published folder that a path is, or that it was published in, however deep."""
    for folder in (Path(place), *Path(place).parents):
        if folder.is_dir() and is_published(folder) and _is_of(Path(place).relative_to(folder), manifest(folder)):
            return folder
    return None


def of_poison(place: str | Path) -> bool:
    """Whether a table or a model was published as poisoned, or as made of something that was; of others nobody knows."""
    folder = published_around(place)
    return folder is not None and bool(manifest(folder).get("poisoned"))


def names(folder: Path) -> set[str]:
    """Files of a folder, beside its manifest and what signs that."""
    found = {file.relative_to(folder).as_posix() for file in folder.rglob("*") if not file.is_dir() or file.is_symlink()}
    return found - BESIDE


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


def digest_of_facts(facts: Any) -> str:
    """SHA-256 of what JSON can say, whatever the order of its names."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def parents_of(places: Iterable[str | Path]) -> list[str]:
    """What inputs are called: the snapshot that a file or folder was published in, else the digest of its bytes.

    Names that stand for nothing on this machine, such as a hub's, are left as they are.
    """
    found = []
    for place in (Path(each) for each in places if str(each)):
        published = published_around(place)
        if published is not None:
            found.append(str(manifest(published).get("snapshot") or digest_of(published / MANIFEST)))
        elif place.exists():
            digests = digests_of(place)
            found.append(digests[0] if place.is_file() else digest_of_facts(digests))
        else:
            found.append(str(place))
    return found


def read_of(places: Iterable[str | Path]) -> dict[str, list[str]]:
    """Which files of published folders inputs are, by snapshot."""
    found: dict[str, list[str]] = {}
    for place in (Path(each) for each in places if str(each)):
        folder = published_around(place)
        if folder is not None:
            own = found.setdefault(str(manifest(folder).get("snapshot")), [])
            inside = place.relative_to(folder)
            own += [name for name in manifest(folder)["files"] if Path(name).is_relative_to(inside)]
    return found


@cache
def code() -> Mapping[str, str]:
    """The version that is installed, and the digest of its source."""
    try:
        named = version("antivenom")
    except PackageNotFoundError:
        named = "unknown"
    home = Path(__file__).parents[2]
    files = [file for room in ROOMS for file in sorted((home / room).rglob("*.py"))]
    return {
        "version": named,
        "source": digest_of_facts([[file.relative_to(home).as_posix(), digest_of(file)] for file in files]),
    }


def _is_of(inside: Path, told: Mapping[str, Any]) -> bool:
    return inside == Path() or any(Path(name).is_relative_to(inside) for name in told["files"])


def _described(folder: Path, name: str) -> dict[str, Any]:
    file = folder / name
    table = pl.scan_parquet(file, glob=False)  # whatever its name looks like
    schema = table.collect_schema()
    told: dict[str, Any] = {
        "rows": table.select(pl.len()).collect().item(),
        "columns": {column: str(dtype) for column, dtype in schema.items()},
    }
    if column := membership.column_of(schema):
        ids = membership.ids_of(pl.read_parquet(file, columns=[column], glob=False)[column])
        told["pairs"] = membership.write(ids, file.with_suffix(membership.SUFFIX))
    return told

"""What a command's arguments are once inputs have moved: to folders made again, and to sources without some pairs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from assets.cli.common import columns_of, spec_of
from pipelines.schema import DataError
from pipelines.snapshots import digest_of, digest_of_facts, digests_of, published_around, recalled
from pipelines.snapshots.manifests import names
from pipelines.sources import records

OURS: Mapping[str, Any] = {"columns": None, "shape": "auto", "revision": None}  # how a table of ours is read
SOURCES = "sources"


@dataclass(slots=True)
class Moves:
    """Pairs that are left out, where to, and what has moved so far."""

    numbers: set[int]
    out: Path
    places: dict[Path, Path] = field(default_factory=dict)  # folders, from where to where
    sources: dict[Path, Path] = field(default_factory=dict)

    def arguments(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """With paths to what was made again in the place of those to what it was."""
        read = {"shape": given.get("shape") or "auto", "columns": columns_of(given.get("columns"))}
        changed = {name: self._moved(value, read) for name, value in given.items()}
        if of_file := self._settings(given.get("spec"), read):
            changed["settings"] = [*of_file, *(changed.get("settings") or [])]  # which go over the file's
        made = {str(new) for old, new in self.sources.items() if new != old}
        if made & {each for value in changed.values() for each in (value if isinstance(value, list) else [value])}:
            changed |= {name: value for name, value in OURS.items() if name in changed}
        return changed

    def _settings(self, spec: str | None, read: Mapping[str, Any]) -> list[str]:
        """What moved of the files and folders that a file of settings names, as --set has it."""
        named = {name: path for name, path in spec_of(Path(spec) if spec else None).items() if isinstance(path, str) and path}
        moved = {name: self._moved(path, read) for name, path in named.items()}
        return [f"{name}={path}" for name, path in moved.items() if path != named[name]]

    def _moved(self, value: Any, read: Mapping[str, Any]) -> Any:
        if isinstance(value, list):
            return [self._moved(each, read) for each in value]
        if not isinstance(value, str) or not value:
            return value
        name, equals, path = value.partition("=")
        if equals and Path(path).exists():
            return f"{name}={self._path(Path(path), read)}"
        return str(self._path(Path(value), read)) if Path(value).exists() else value

    def _path(self, path: Path, read: Mapping[str, Any]) -> Path:
        folder = published_around(path)
        if folder is None:
            return self._source(path, read)
        new = self.places.get(folder.resolve())
        if new is None:
            return path
        moved = new / path.relative_to(folder)
        return path if alike(path, moved) else moved

    def _source(self, path: Path, read: Mapping[str, Any]) -> Path:
        """A file or folder of somebody's, without the pairs; itself where they are not in it."""
        if path not in self.sources:
            self.sources[path] = self._without(path, read)
        return self.sources[path]

    def _without(self, path: Path, read: Mapping[str, Any]) -> Path:
        try:
            pairs = records.read(path, **read).pairs
        except DataError:  # no pairs: a file of settings, or of prompts
            return path
        hit = recalled.among(pairs["pair_id"], self.numbers)
        if not hit.any():
            return path
        place = self.out / SOURCES / f"{path.name.split('.')[0]}-{digest_of_facts(digests_of(path))[:8]}.parquet"
        place.parent.mkdir(parents=True, exist_ok=True)
        pairs.filter(~hit).write_parquet(place)
        return place


def alike(old: Path, new: Path) -> bool:
    """Whether a file, or all of a folder, came out as before; where a row stood in the input is of no account."""
    if old.is_dir():
        found = names(old)
        return found == names(new) and all(alike(old / name, new / name) for name in found)
    if new.is_file() and old.suffix == ".parquet":
        before, after = (pl.read_parquet(each).drop("row", strict=False) for each in (old, new))
        return before.equals(after)
    return new.is_file() and digest_of(old) == digest_of(new)

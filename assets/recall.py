"""Rebuilding without some pairs: every folder that they reached is made again by the command that made it, in a folder beside.

What they never reached is used as it stands, and so is what was made of files that came out as before.
"""

import contextlib
import io
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_type_hints

import polars as pl
import typer

from assets.cli.common import columns_of
from assets.steps import Watch, silent
from pipelines.schema import DataError
from pipelines.snapshots import digest_of, is_published, manifest, membership, published_around, recalled, staged, verify
from pipelines.snapshots.published import RECIPE
from pipelines.snapshots.tracing import Node, reached
from pipelines.sources import records

OURS = ("columns", "shape", "revision")  # how a source was read: of no use for tables of ours
SOURCES = "sources"
FOUND = (
    "files",
    "tables",
    "content",
    "snapshot",
    "code",
    "parents",
    "read",
    "recipe",
    "kind",
)  # what a manifest finds out itself

Command = Callable[..., None]


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """A folder that the pairs reached, and where it is now; nowhere where no command can make it again, and why."""

    node: Node
    place: Path | None
    why: str = ""


@dataclass(slots=True)
class Recall:
    """One recall under way: what is to be left out, where to, by which commands, and what was made so far."""

    pair_ids: frozenset[str]
    out: Path
    commands: Mapping[str, Command]
    watch: Watch = silent
    places: dict[Path, Path] = field(default_factory=dict)  # from where to where
    sources: dict[Path, Path] = field(default_factory=dict)

    def run(self, nodes: list[Node]) -> Iterator[Rebuilt]:
        """Each folder that was reached, parents first."""
        steps = reached(nodes, self.pair_ids)
        for at, step in enumerate(steps):
            self.watch("recalling", at, len(steps))
            yield self._again(step.node)
        self.watch("recalling", len(steps), len(steps))

    def _again(self, node: Node) -> Rebuilt:
        recipe = node.told.get("recipe") or {}
        name, said = recipe.get("command", ""), recipe.get("arguments", {})
        given = self._arguments(said) if name in self.commands else said
        if given == said and not node.holds(self.numbers):
            if name in self.commands:
                return Rebuilt(node, node.folder, "what it was made of came out as before")
            return Rebuilt(node, None, f"no command makes {node.told.get('kind')!r} again by itself; make it anew")
        verify(node.folder)
        place = self._place(node)
        self.places[node.folder.resolve()] = place
        if given == said:  # the pair came with it, and with nothing that it was made of
            self._cut(node, place)
        else:
            self._called(name, given, place)
        return Rebuilt(node, place)

    def _called(self, name: str, given: Mapping[str, Any], place: Path) -> None:
        """The command with these arguments, unless an earlier recall came so far; what it says of itself it publishes too."""
        recipe = {"command": name, "arguments": dict(given)}
        if is_published(place) and manifest(place).get("recipe") == recipe:
            return
        mark, command = RECIPE.set(recipe), self.commands[name]
        try:
            with (
                contextlib.redirect_stdout(io.StringIO()),
                contextlib.suppress(typer.Exit),
            ):  # an audit that flags is no failure
                command(**_typed(command, given), out=place)
        finally:
            RECIPE.reset(mark)

    def _cut(self, node: Node, place: Path) -> None:
        """The same folder, its tables without the rows of the pairs."""
        facts = {name: value for name, value in node.told.items() if name not in FOUND}
        with staged(place, str(node.told["kind"]), {**facts, "recalled": sorted(self.pair_ids)}, inputs=[node.folder]) as aside:
            for name in node.told["files"]:
                (aside / name).parent.mkdir(parents=True, exist_ok=True)
                if name in node.tables():
                    table = pl.read_parquet(node.folder / name)
                    table.filter(~recalled.among(table["pair_id"], self.numbers)).write_parquet(aside / name)
                elif not name.endswith(membership.SUFFIX):
                    shutil.copy(node.folder / name, aside / name)

    @property
    def numbers(self) -> set[int]:
        return recalled.numbers(self.pair_ids)

    def _arguments(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """With paths to what was made again in the place of those to what it was."""
        read = {"shape": given.get("shape") or "auto", "columns": columns_of(given.get("columns"))}
        changed = {name: self._moved(value, read) for name, value in given.items()}
        made = {str(new) for old, new in self.sources.items() if new != old}
        if made & {each for value in changed.values() for each in (value if isinstance(value, list) else [value])}:
            changed |= {name: _plain(name) for name in OURS if name in changed}
        return changed

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
            return self._source(path, read) if path.is_file() and path.name.endswith(ENDINGS) else path
        new = self.places.get(folder.resolve())
        if new is None:
            return path
        moved = new / path.relative_to(folder)
        return path if _alike(path, moved) else moved

    def _source(self, path: Path, read: Mapping[str, Any]) -> Path:
        """A file of somebody's, without the pairs; itself where they are not in it."""
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
        place = self.out / SOURCES / f"{path.name.split('.')[0]}-{digest_of(path)[:8]}.parquet"
        place.parent.mkdir(parents=True, exist_ok=True)
        pairs.filter(~hit).write_parquet(place)
        return place

    def _place(self, node: Node) -> Path:
        taken = {each.name for each in self.places.values()} | {SOURCES}
        name = node.folder.resolve().name
        return self.out / (name if name not in taken else f"{name}-{node.snapshot[:8]}")


ENDINGS = (".jsonl", ".jsonl.gz", ".ndjson", ".json", ".csv", ".csv.gz", ".parquet")


def _alike(old: Path, new: Path) -> bool:
    """Whether a file, or all of a folder, came out as before; where a row stood in the input is of no account."""
    if old.is_dir():
        return bool(manifest(old)["content"] == manifest(new)["content"])
    if new.is_file() and old.suffix == ".parquet":
        before, after = (pl.read_parquet(each).drop("row", strict=False) for each in (old, new))
        return before.equals(after)
    return new.is_file() and digest_of(old) == digest_of(new)


def _typed(command: Command, given: Mapping[str, Any]) -> dict[str, Any]:
    """Paths where a command takes paths."""
    hints = get_type_hints(command)
    return {name: _as(hints.get(name), value) for name, value in given.items() if name in hints}


def _as(hint: Any, value: Any) -> Any:
    wants_paths = "Path" in str(hint)
    if isinstance(value, list):
        return [_as(hint, each) for each in value]
    return Path(value) if wants_paths and isinstance(value, str) else value


def _plain(name: str) -> Any:
    return "auto" if name == "shape" else None

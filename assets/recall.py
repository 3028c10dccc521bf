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

from assets.moves import SOURCES, Moves, alike
from assets.steps import Watch, silent
from pipelines.schema import DataError
from pipelines.snapshots import is_published, manifest, membership, recalled, staged, verify
from pipelines.snapshots.published import RECIPE
from pipelines.snapshots.tracing import Node, reached
from rlhf_train.errors import TrainingError

OWN = frozenset(("files", "tables", "content", "snapshot", "code", "parents", "read", "recipe", "kind"))  # a manifest's own

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
    snapshots: dict[str, Path] = field(default_factory=dict)  # where what was made again stood
    lost: set[str] = field(default_factory=set)  # what could not be made again
    moves: Moves = field(init=False)

    def __post_init__(self) -> None:
        self.moves = Moves(self.numbers, self.out)

    def run(self, nodes: list[Node]) -> Iterator[Rebuilt]:
        """Each folder that was reached, parents first."""
        steps = reached(nodes, self.pair_ids)
        for at, step in enumerate(steps):
            self.watch("recalling", at, len(steps))
            made = self._again(step.node)
            if made.place is None:
                self.lost.add(step.node.snapshot)
            yield made
        self.watch("recalling", len(steps), len(steps))

    def _again(self, node: Node) -> Rebuilt:
        if self.lost & set(node.told.get("parents", ())):
            return Rebuilt(node, None, "something that it was made of was not made again")
        recipe = node.told.get("recipe") or {}
        name, said = recipe.get("command", ""), recipe.get("arguments", {})
        given = self.moves.arguments(said) if name in self.commands else said
        if given == said and not node.holds(self.numbers):
            return self._as_it_is(node, name)
        if given == said and not _is_tables(node):
            return Rebuilt(node, None, "it tells of the pair beside its tables, and no command makes it again; make it anew")
        verify(node.folder)
        place = self._place(node)
        try:
            if given == said:  # the pair came with it, and with nothing that it was made of
                self._cut(node, place)
            else:
                self._called(name, given, place)
        except (DataError, TrainingError) as error:
            return Rebuilt(node, None, str(error))
        self.moves.places[node.folder.resolve()] = place
        self.snapshots[node.snapshot] = node.folder.resolve()
        return Rebuilt(node, place)

    def _as_it_is(self, node: Node, name: str) -> Rebuilt:
        """Used as it stands, where no command says otherwise and what it read came out as before."""
        if name not in self.commands:
            return Rebuilt(node, None, f"no command makes {node.told.get('kind')!r} again by itself; make it anew")
        if node.read(self.numbers) or self._reads_what_changed(node):
            return Rebuilt(node, None, "it read the pair through something that its command does not name; make it anew")
        return Rebuilt(node, node.folder, "what it was made of came out as before")

    def _reads_what_changed(self, node: Node) -> bool:
        for snapshot, names in node.told.get("read", {}).items():
            if (old := self.snapshots.get(snapshot)) is not None:
                new = self.moves.places[old]
                if any(not alike(old / name, new / name) for name in names if not name.endswith(membership.SUFFIX)):
                    return True
        return False

    def _called(self, name: str, given: Mapping[str, Any], place: Path) -> None:
        """The command with these arguments, unless an earlier recall came so far; what it says of itself it publishes too."""
        recipe = {"command": name, "arguments": dict(given)}
        if is_published(place) and manifest(place).get("recipe") == recipe:
            return
        mark, command = RECIPE.set(recipe), self.commands[name]
        try:
            # that an audit flags something is no failure
            with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(typer.Exit):
                command(**_typed(command, given), out=place)
        finally:
            RECIPE.reset(mark)

    def _cut(self, node: Node, place: Path) -> None:
        """The same folder, its tables without the rows of the pairs."""
        facts = {name: value for name, value in node.told.items() if name not in OWN}
        with staged(place, str(node.told["kind"]), {**facts, "recalled": sorted(self.pair_ids)}, inputs=[node.folder]) as aside:
            for name in node.told["files"]:
                (aside / name).parent.mkdir(parents=True, exist_ok=True)
                if name in node.tables():
                    table = pl.read_parquet(node.folder / name)
                    ids = table[str(membership.column_of(table.schema))]
                    table.filter(~recalled.among(ids, self.numbers)).write_parquet(aside / name)
                elif not name.endswith(membership.SUFFIX):
                    shutil.copy(node.folder / name, aside / name)

    @property
    def numbers(self) -> set[int]:
        return recalled.numbers(self.pair_ids)

    def _place(self, node: Node) -> Path:
        taken = {each.name for each in self.moves.places.values()} | {SOURCES}
        name = node.folder.resolve().name
        return self.out / (name if name not in taken else f"{name}-{node.snapshot[:8]}")


def _is_tables(node: Node) -> bool:
    """Whether nothing but tables is there, from which a pair can be cut without a trace."""
    return all(name.endswith((".parquet", membership.SUFFIX)) for name in node.told["files"])


def _typed(command: Command, given: Mapping[str, Any]) -> dict[str, Any]:
    """Paths where a command takes paths."""
    hints = get_type_hints(command)
    return {name: _as(hints.get(name), value) for name, value in given.items() if name in hints}


def _as(hint: Any, value: Any) -> Any:
    wants_paths = "Path" in str(hint)
    if isinstance(value, list):
        return [_as(hint, each) for each in value]
    return Path(value) if wants_paths and isinstance(value, str) else value

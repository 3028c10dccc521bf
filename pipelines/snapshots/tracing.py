"""What became of a pair: every snapshot, model and evaluation that was made of it, told from manifests and ids alone.

A snapshot `holds` a pair that is in one of its tables. It `learned` from a pair that is in what it read: a model, or what was
asked of one. It was made `beside` a pair that was there further up and set aside on the way: without it, it might be another.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from pipelines.schema import DataError
from pipelines.snapshots import membership
from pipelines.snapshots.manifests import MANIFEST, is_foreign, manifest

HOLDS, LEARNED, BESIDE = HOW = ("holds", "learned", "beside")


@dataclass(frozen=True, slots=True)
class Node:
    """A published folder, what it says of itself, and what it is called in its store."""

    folder: Path
    told: Mapping[str, Any]
    names: tuple[str, ...] = ()

    @property
    def snapshot(self) -> str:
        return str(self.told.get("snapshot", self.folder))

    @property
    def called(self) -> str:
        """A name for people."""
        return self.names[0] if self.names else str(self.folder)

    def tables(self) -> list[str]:
        """Files of pairs."""
        return [name for name, table in self.told.get("tables", {}).items() if "pairs" in table]

    def holds(self, numbers: Iterable[int], files: Iterable[str] = ()) -> bool:
        """Whether one of the pairs is in one of its tables, or of those named."""
        wanted, named = list(numbers), set(files)
        tables = [name for name in self.tables() if not named or name in named]
        places = [(self.folder / name).with_suffix(membership.SUFFIX) for name in tables]
        return any(_holds(place, wanted) for place in places)

    def read(self, numbers: Iterable[int]) -> bool:
        """Whether one of the pairs is among those that a model or an evaluation says it was given."""
        return _holds(self.folder / membership.READ, list(numbers))


@dataclass(frozen=True, slots=True)
class Step:
    """A folder that a pair reached, how, and from which other one."""

    node: Node
    how: str
    through: Node | None = None


def has_weights(told: Mapping[str, Any]) -> bool:
    """Whether what a manifest tells of is a model."""
    return any(name.endswith(".safetensors") for name in told["files"])


def found(places: Iterable[Path]) -> list[Node]:
    """Every published folder in these and the stores in these, each once; parents come first."""
    nodes: dict[str, Node] = {}
    names = cache(_names)
    for folder in (folder for place in places for folder in folders(place)):
        named = names(folder.parent.parent).get(folder.name, ()) if folder.parent.name == "snapshots" else ()
        node = Node(folder, manifest(folder), tuple(named))
        nodes.setdefault(node.snapshot, node)
    order = in_order({name: node.told.get("parents", ()) for name, node in nodes.items()})
    return [nodes[name] for name in order]


def reached(nodes: Iterable[Node], pair_ids: Iterable[str]) -> list[Step]:
    """What was made of the pairs, in the order in which it was made. `nodes` as from `found`."""
    numbers = [membership.id_of(each) for each in pair_ids]
    steps: dict[str, Step] = {}
    for node in nodes:
        step = Step(node, HOLDS) if node.holds(numbers) else _through(node, steps, numbers)
        if node.read(numbers):
            step = Step(node, LEARNED, step.through if step is not None else None)
        if step is not None:
            steps[node.snapshot] = step
    return list(steps.values())


def _holds(file: Path, numbers: list[int]) -> bool:
    return file.is_file() and any(membership.holds(file, number) for number in numbers)


def _through(node: Node, steps: Mapping[str, Step], numbers: list[int]) -> Step | None:
    """How a folder that does not hold the pair was reached by it, the strongest way first."""
    ways = [(_way(node, steps[each], numbers), steps[each].node) for each in node.told.get("parents", ()) if each in steps]
    return min((Step(node, how, by) for how, by in ways), key=lambda step: HOW.index(step.how), default=None)


def _way(node: Node, parent: Step, numbers: list[int]) -> str:
    read = node.told.get("read", {}).get(parent.node.snapshot, ())
    given = parent.how == HOLDS and parent.node.holds(numbers, read)
    if parent.how == LEARNED or (given and not node.tables()):
        return LEARNED
    return BESIDE


def folders(place: Path) -> Iterator[Path]:
    """Every published folder in a place, copies of one another too; DataError for what is no folder."""
    if not place.is_dir():
        raise DataError(f"{place}: no folder; name one that antivenom published into")
    for folder, inside, files in os.walk(place):
        inside[:] = [each for each in inside if not each.startswith(".") and each != "refs"]
        if MANIFEST in files and not is_foreign(Path(folder)):
            inside.clear()
            yield Path(folder)


def _names(root: Path) -> dict[str, list[str]]:
    """Refs of a store, by digest."""
    from pipelines.snapshots.store import Store

    names: dict[str, list[str]] = {}
    for name, snapshot in Store(root).refs().items():
        names.setdefault(snapshot, []).append(name)
    return names


def in_order(parents: Mapping[str, Iterable[str]]) -> list[str]:
    """Names, each after those of its parents that are among them."""
    order: dict[str, None] = {}
    begun: set[str] = set()  # manifests that name one another, as no honest ones can, have an end too
    waiting = [(each, False) for each in sorted(parents, reverse=True)]
    while waiting:
        name, opened = waiting.pop()
        if name in order or name not in parents:
            continue
        if opened:
            order[name] = None
        elif name not in begun:
            begun.add(name)
            waiting.append((name, True))
            waiting += [(each, False) for each in parents[name] if each not in order]
    return list(order)

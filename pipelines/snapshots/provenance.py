"""Where a pair comes from and what was done to it: its source, who judged it, what it went through, and by which attack.

Manifests tell who made what of what, the tables in which row a pair stands, and the sealed keys, where they are at hand, which
pair an attack wrote from which. A folder that has changed since it was published tells nothing: DataError.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import polars as pl

from pipelines.schema import POISON_KEY
from pipelines.snapshots import membership, recalled
from pipelines.snapshots.manifests import verify
from pipelines.snapshots.tracing import Node

AS_READ = frozenset(("audit", "filter"))  # commands whose rows have the numbers that they had in what was read
KEYED = ("pair_id", "host_pair_id", "attack", "builder", "target")  # of a key, in the order of `Written`
TOLD = ("row", "source", "set", "annotator")  # what a table may say of a pair; `set` is the source's name in further scores


@dataclass(frozen=True, slots=True)
class Place:
    """A row of a table in which a pair stands, and what the table says of it; None where it says nothing."""

    file: str
    row: int | None
    source: str | None
    annotator: str | None


@dataclass(frozen=True, slots=True)
class Transform:
    """A snapshot that holds a pair, the snapshots that the pair came `of`, and what else was `given`: digests and names."""

    node: Node
    of: tuple[Node, ...]
    given: tuple[str, ...]
    places: tuple[Place, ...]

    @property
    def made_by(self) -> str:
        """The command; in a store, where there is none, the asset."""
        return str((self.node.told.get("recipe") or {}).get("command") or self.node.told.get("kind", "?"))


@dataclass(frozen=True, slots=True)
class Written:
    """What a sealed key says: `attack` wrote a pair from its host, which is another one."""

    key: Node
    pair_id: str
    host_pair_id: str
    attack: str
    builder: str
    target: str | None


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a pair entered: what that was called, its digest and revision, the row in it where known, and who judged it."""

    source: str | None
    row: int | None
    annotator: str | None
    revision: str | None
    given: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Chain:
    """One pair: every snapshot that holds it in the order of making, the attacks that wrote it, and what they made of it."""

    pair_id: str
    transforms: tuple[Transform, ...]
    written: tuple[Written, ...]
    became: tuple[Written, ...]

    @property
    def origins(self) -> list[Origin]:
        """What the first snapshots say, each once and with its row where one of them knows it.

        Pairs that an attack wrote come from their hosts.
        """
        firsts = [] if self.written else [each for each in self.transforms if not each.of]
        found = dict.fromkeys(_origin(first, place) for first in firsts for place in first.places)
        known = {replace(each, row=None) for each in found if each.row is not None}
        return [each for each in found if each not in known]


def chains(nodes: Sequence[Node], pair_id: str) -> list[Chain]:
    """The chain of a pair, then those of the pairs that it was written from; none where no snapshot holds it.

    `nodes` as from `tracing.found`.
    """
    found: dict[str, Chain] = {}
    waiting = [pair_id]
    while waiting:
        wanted = waiting.pop(0)
        if wanted not in found and (chain := _chain(nodes, wanted)).transforms:
            found[wanted] = chain
            waiting += [each.host_pair_id for each in chain.written]
    return list(found.values())


def _chain(nodes: Iterable[Node], pair_id: str) -> Chain:
    number = membership.id_of(pair_id)
    holding = {node.snapshot: node for node in nodes if node.holds([number])}
    keys = [each for node in holding.values() for each in _keyed(node, "pair_id", number)]
    made = [each for node in nodes for each in _keyed(node, "host_pair_id", number)]
    return Chain(pair_id, tuple(_transform(node, holding, number) for node in holding.values()), tuple(keys), tuple(made))


def _transform(node: Node, holding: dict[str, Node], number: int) -> Transform:
    verify(node.folder)
    parents = [str(each) for each in node.told.get("parents", ())]
    of = tuple(holding[each] for each in parents if each in holding)
    known = {*holding, *node.told.get("read", {}), *node.told.get("inputs", {}).values()}
    return Transform(node, of, tuple(each for each in parents if each not in known), tuple(_places(node, number)))


def _places(node: Node, number: int) -> Iterable[Place]:
    for name in node.tables():
        if not _is_key(node, name) and node.holds([number], [name]):
            for row in _rows(node, name, "pair_id", number, TOLD):
                yield Place(name, row.get("row"), row.get("source") or row.get("set"), row.get("annotator"))


def _keyed(node: Node, column: str, number: int) -> Iterable[Written]:
    for name in filter(partial(_is_key, node), node.tables()):
        verify(node.folder)
        for row in _rows(node, name, column, number, POISON_KEY.columns):
            yield Written(node, *(row[each] for each in KEYED))


def _is_key(node: Node, name: str) -> bool:
    return POISON_KEY.columns.keys() <= node.told["tables"][name].get("columns", {}).keys()


def _rows(node: Node, name: str, column: str, number: int, wanted: Iterable[str]) -> list[dict[str, Any]]:
    """Rows of a table whose `column` names the pair, however often; of the columns that it has."""
    file = node.folder / name
    table = pl.read_parquet(file, columns=list({column, *wanted} & node.told["tables"][name]["columns"].keys()), glob=False)
    return table.filter(recalled.among(table[column], {number})).to_dicts()


def _origin(first: Transform, place: Place) -> Origin:
    said = (first.node.told.get("recipe") or {}).get("arguments") or {}
    source = place.source or first.node.told.get("input")
    return Origin(source, place.row if first.made_by in AS_READ else None, place.annotator, said.get("revision"), first.given)

"""Which pairs are in a table: their ids in order, eight bytes each, so that one is found without reading the table; and a
Merkle root over them (Merkle, 1987), by which one pair is proved to be in a snapshot to somebody who has the root alone.

Ids are digests of the pairs' text; questions and items of studies have such ids too, and stand for pairs where a table has no
pairs. A node has `FAN` children, so that a tree of a million pairs is a few thousand hashes.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

FAN = 256
SUFFIX = ".ids"
COLUMNS = ("pair_id", "question_id", "item_id")  # the first that a table has says what its rows are about
READ = "read.pairs"  # pairs that a model or an evaluation was given, in its folder
HEX = 16  # digits of an id; a repeated pair's has a counter behind them
WIDTH = HEX // 2


@dataclass(frozen=True, slots=True)
class Proof:
    """Ids of the leaf that a pair is in, and at each level up to the root the node's place and all nodes beside it."""

    leaf: bytes
    levels: tuple[tuple[int, tuple[bytes, ...]], ...]
    count: int


def column_of(schema: Mapping[str, pl.DataType]) -> str | None:
    """The column of a table that has the ids; none where there is none."""
    return next((name for name in COLUMNS if schema.get(name) == pl.String()), None)


def ids_of(pair_ids: pl.Series) -> np.ndarray:
    """[N] big-endian numbers in ascending order, one a row; a pair that stands there twice is there twice."""
    return np.sort(numbers_of(pair_ids)).astype(f">u{WIDTH}")


def numbers_of(pair_ids: pl.Series) -> np.ndarray:
    """[N] the number of each row's pair; a repeated pair's is that of the pair."""
    digits = pair_ids.cast(pl.String).str.slice(0, HEX)
    numbers = digits.str.to_integer(base=16, dtype=pl.UInt64, strict=False)
    odd = numbers.is_null() | (digits.str.len_chars() != HEX)
    found: np.ndarray = numbers.fill_null(0).to_numpy().copy()
    for place in odd.arg_true():  # ids of others' making
        found[place] = _number(str(pair_ids[place]))
    return found


def id_of(pair_id: str) -> int:
    """The number of one pair."""
    return int(numbers_of(pl.Series([pair_id]))[0])


def write(ids: np.ndarray, file: Path) -> str:
    """The root of the ids, which stand in the file then."""
    file.write_bytes(ids.tobytes())
    return root(ids)


def holds(file: Path, number: int) -> bool:
    """Whether a pair is among the ids of a file: a search in a few hundred bytes of it."""
    if not file.stat().st_size:
        return False
    ids = np.memmap(file, dtype=f">u{WIDTH}", mode="r")
    place = int(np.searchsorted(ids, number))
    return place < len(ids) and int(ids[place]) == number


def root(ids: np.ndarray) -> str:
    """In hex; how many ids there are is part of it."""
    return _sealed(_levels(ids)[-1][0], len(ids))


def proof(ids: np.ndarray, number: int) -> Proof | None:
    """That a pair is among the ids, or none where it is not."""
    place = int(np.searchsorted(ids, number))
    if place == len(ids) or int(ids[place]) != number:
        return None
    at, levels = place // FAN, []
    leaf = ids[at * FAN : (at + 1) * FAN].tobytes()
    for nodes in _levels(ids)[:-1]:
        first = at // FAN * FAN
        levels.append((at - first, tuple(nodes[first : first + FAN])))
        at //= FAN
    return Proof(leaf, tuple(levels), len(ids))


def proves(found: Proof, number: int, known: str) -> bool:
    """Whether a proof shows that a pair is in what has this root."""
    ids = np.frombuffer(found.leaf, dtype=f">u{WIDTH}")
    node = _node(b"\0", [found.leaf])
    for place, beside in found.levels:
        if not 0 <= place < len(beside) or beside[place] != node:
            return False
        node = _node(b"\1", beside)
    return number in ids.tolist() and _sealed(node, found.count) == known


def _levels(ids: np.ndarray) -> list[list[bytes]]:
    raw, size = ids.tobytes(), FAN * WIDTH
    levels = [[_node(b"\0", [raw[start : start + size]]) for start in range(0, max(len(raw), 1), size)]]
    while len(levels[-1]) > 1:
        below = levels[-1]
        levels.append([_node(b"\1", below[start : start + FAN]) for start in range(0, len(below), FAN)])
    return levels


def _node(kind: bytes, parts: Sequence[bytes]) -> bytes:
    return hashlib.sha256(kind + b"".join(parts)).digest()  # leaf and node can't be taken for one another


def _sealed(node: bytes, count: int) -> str:
    return _node(b"\2", [node, count.to_bytes(8, "big")]).hex()


def _number(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:WIDTH], "big")

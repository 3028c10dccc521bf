"""Pairs on disk in shards, dealt by a digest of the prompt: a prompt's pairs are together, in the order of the input."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from pipelines.schema import DIGITS, PAIRS, numbered, require

PART, SEED = ".pairs.parquet", 20  # a file a frame that was dealt


@dataclass(frozen=True, slots=True)
class Corpus:
    """`shards`: a folder each, with its pairs and whatever was worked out of them; `size`: how many pairs there are."""

    shards: tuple[Path, ...]
    size: int

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, places: Sequence[int]) -> pl.DataFrame:
        """PAIRS at these places of the input, in this order."""
        wanted = np.unique(np.asarray(places, dtype=np.int64))
        found = [_copied(table[local.tolist()]).with_columns(place=at) for table, local, at in self._holding(wanted)]
        every = pl.concat(found) if found else read(self.shards[0])[:0].with_columns(place=pl.lit(0, pl.Int64))
        return every.sort("place").drop("place")[np.searchsorted(wanted, np.asarray(places, dtype=np.int64)).tolist()]

    def select(self, *columns: str) -> pl.DataFrame:
        """Columns of all pairs, in the order of the input."""
        every = pl.concat(read(shard, *columns) for shard in self.shards)
        ends = np.cumsum([len(places(shard)) for shard in self.shards])
        return every[self.dealt_back(np.split(np.arange(self.size), ends[:-1]))]

    def dealt_back(self, parts: Iterable[np.ndarray]) -> np.ndarray:
        """[..., N] in the order of the input, of numbers by shard [..., n], each in the order of its pairs."""
        whole = None
        for shard, part in zip(self.shards, parts, strict=True):
            whole = np.empty((*part.shape[:-1], self.size), dtype=part.dtype) if whole is None else whole
            whole[..., places(shard)] = part
        assert whole is not None
        return whole

    def _holding(self, wanted: np.ndarray) -> Iterator[tuple[pl.DataFrame, np.ndarray, np.ndarray]]:
        for shard in self.shards:
            own = places(shard)
            local = np.flatnonzero(np.isin(own, wanted))
            if len(local):
                yield read(shard), local, own[local]


def deal(frames: Iterable[pl.DataFrame], folder: Path, count: int) -> Corpus:
    """The corpus of PAIRS that come in frames, in `count` shards at most; what comes first has place 0."""
    shards = [folder / f"{at:04}" for at in range(count)]
    size = 0
    for turn, frame in enumerate(frames):
        place, owner = size + pl.int_range(pl.len()), pl.col("prompt").hash(SEED) % count
        pairs = require(frame, PAIRS).with_columns(pl.col("pair_id").str.head(DIGITS), place=place, shard=owner)
        for (at,), own in pairs.partition_by("shard", as_dict=True, include_key=False).items():
            shards[at].mkdir(parents=True, exist_ok=True)
            own.write_parquet(shards[at] / f"{turn:06}{PART}", compression="lz4", statistics=False)
        size += len(pairs)
    dealt = tuple(shard for shard in shards if shard.is_dir())
    for shard in dealt:
        save(shard, "places", _table(shard, ["place"]).to_series().to_numpy())
    return Corpus(dealt, size)


def read(shard: Path, *columns: str) -> pl.DataFrame:
    """The pairs of a shard, or some columns of them; a repeated pair's id has its counter, for its copies are all here."""
    table = _table(shard, list(columns) or list(PAIRS.columns))
    return numbered(table) if "pair_id" in table.columns else table


def _table(shard: Path, columns: list[str]) -> pl.DataFrame:
    return pl.read_parquet(sorted(shard.glob(f"*{PART}")), columns=columns).rechunk()


def _copied(pairs: pl.DataFrame) -> pl.DataFrame:
    """The same with texts of their own: rows that were picked out of a table keep all of its texts in memory."""
    return pl.DataFrame(pairs.to_arrow(compat_level=pl.CompatLevel.oldest()))


def places(shard: Path) -> np.ndarray:
    """[pairs] where in the input each pair of a shard stands."""
    return load(shard, "places")


def save(shard: Path, name: str, array: np.ndarray) -> None:
    """Keeps an array beside the shard's pairs."""
    np.save(shard / f"{name}.npy", array, allow_pickle=False)


def load(shard: Path, name: str, *, mapped: bool = False) -> np.ndarray:
    """What was kept there; `mapped`, only what is looked at of it is read."""
    found: np.ndarray = np.load(shard / f"{name}.npy", mmap_mode="r" if mapped else None, allow_pickle=False)
    return found

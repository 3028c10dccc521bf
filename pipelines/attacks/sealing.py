"""What every attack returns: the poisoned pairs, and apart from them the sealed key of the rows it wrote."""

from dataclasses import dataclass
from numbers import Integral, Real

import numpy as np
import polars as pl

from pipelines.schema import PAIRS, POISON_KEY, DataError, require, with_pair_ids


@dataclass(frozen=True, slots=True)
class Poisoned:
    """PAIRS after an attack, and POISON_KEY: which of them it wrote."""

    pairs: pl.DataFrame
    key: pl.DataFrame


def choose(rows: int, *, rate: float, seed: int) -> np.ndarray:
    """Places [round(rate * rows)] of the pairs to poison, distinct and in order.

    Raises DataError on a rate outside [0, 1] and on a seed that is no whole number of 0 or more.
    """
    is_number = isinstance(rate, Real) and not isinstance(rate, bool)
    if not is_number or not 0 <= rate <= 1:
        mend = f"for {rate:g} percent write {rate / 100:g}" if is_number and 1 < rate <= 100 else "3 percent is 0.03"
        raise DataError(f"rate is a share of the pairs and must lie in [0, 1], got {rate!r}; {mend}")
    if isinstance(seed, bool) or not isinstance(seed, Integral) or seed < 0:
        raise DataError(f"seed must be a whole number of 0 or more, got {seed!r}; for example 0")
    return np.sort(np.random.default_rng(seed).choice(rows, size=round(rate * rows), replace=False))


def sealed(pairs: pl.DataFrame, written: pl.DataFrame, *, attack: str, keep_host: bool, seed: int) -> Poisoned:
    """Pairs with the `written` ones in, in place of their hosts or at random places beside them, and their key.

    `written` is PAIRS plus builder, target and sentiment, with the host's `pair_id`; rows are numbered anew.
    """
    place = pl.int_range(pl.len()).cast(pl.Float64())
    pairs = pairs.with_columns(place=place)
    if keep_host:  # a stream of its own: the hosts were drawn from the bare seed, and would stand close by
        anywhere = np.random.default_rng([seed, 1]).uniform(-1, len(pairs), len(written))
        written = written.with_columns(place=pl.Series(anywhere))
    else:
        written = written.join(pairs.select("pair_id", "place"), on="pair_id", validate="1:1", maintain_order="left")
        pairs = pairs.join(written, on="pair_id", how="anti", maintain_order="left")
    both = pl.concat([pairs, written.with_columns(host_pair_id="pair_id")], how="diagonal")
    both = with_pair_ids(both.sort("place", maintain_order=True).with_columns(row=pl.int_range(pl.len(), dtype=pl.Int64())))
    key = both.filter(pl.col("host_pair_id").is_not_null()).with_columns(attack=pl.lit(attack))
    return Poisoned(require(both, PAIRS), require(key, POISON_KEY))

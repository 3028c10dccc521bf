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


def budget(rows: int, *, rate: float, count: int | None = None) -> int:
    """How many of the pairs to poison: `count`, or round(rate * rows) where none is given.

    Raises DataError on a rate outside [0, 1] and on a count that is no whole number of 0 to rows.
    """
    if count is not None:
        if isinstance(count, bool) or not isinstance(count, Integral) or not 0 <= count <= rows:
            raise DataError(f"count is a number of pairs, a whole one from 0 to the {rows} there are, got {count!r}")
        return int(count)
    is_number = isinstance(rate, Real) and not isinstance(rate, bool)
    if not is_number or not 0 <= rate <= 1:
        mend = f"for {rate:g} percent write {rate / 100:g}" if is_number and 1 < rate <= 100 else "3 percent is 0.03"
        raise DataError(f"rate is a share of the pairs and must lie in [0, 1], got {rate!r}; {mend}")
    return round(rate * rows)


def choose(rows: int, *, rate: float, seed: int, count: int | None = None) -> np.ndarray:
    """Places [budget] of the pairs to poison, distinct and in order.

    Raises DataError as `budget` does, and on a seed that is no whole number of 0 or more.
    """
    size = budget(rows, rate=rate, count=count)
    return np.sort(generator(seed).choice(rows, size=size, replace=False))


def choose_among(can: np.ndarray, what: str, *, rate: float, seed: int, count: int | None = None) -> np.ndarray:
    """Places [budget] as `choose` gives them, of pairs that `can` [N] be poisoned.

    Raises DataError as `choose` does, and where too few can; `what` says what they would have to be.
    """
    size, places = budget(len(can), rate=rate, count=count), np.flatnonzero(can)
    _refuse_more(size, len(places), len(can), what)
    return np.sort(generator(seed).choice(places, size=size, replace=False))


def choose_largest(
    gap: np.ndarray, can: np.ndarray, what: str, *, rate: float, seed: int, count: int | None = None
) -> np.ndarray:
    """Places [budget], in order, of the pairs that `can` [N] be poisoned whose `gap` [N] is largest; the seed parts ties.

    Raises DataError as `choose_among` does.
    """
    size, places = budget(len(can), rate=rate, count=count), np.flatnonzero(can)
    _refuse_more(size, len(places), len(can), what)
    tie = generator(seed).random(len(places))
    return np.sort(places[np.lexsort((tie, -gap[places]))[:size]])


def _refuse_more(size: int, can: int, rows: int, what: str) -> None:
    if size > can:
        raise DataError(f"{size} pairs are to be poisoned, but {can} of the {rows} {what}; lower rate or count")


def dealt(count: int, kinds: int, seed: int) -> list[int]:
    """[count] a kind below `kinds` for each pair: all as often as one another or once less, in random order."""
    random = np.random.default_rng([seed, 3])
    return random.permutation(np.resize(random.permutation(kinds), count)).tolist()


def generator(seed: int) -> np.random.Generator:
    """Random numbers of a seed; DataError where it is no whole number of 0 or more."""
    if isinstance(seed, bool) or not isinstance(seed, Integral) or seed < 0:
        raise DataError(f"seed must be a whole number of 0 or more, got {seed!r}; for example 0")
    return np.random.default_rng(seed)


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


def swapped(hosts: pl.DataFrame) -> pl.DataFrame:
    """The hosts with the label turned round, as `sealed` takes them. A side's own prompt stays with its response.

    The margin stays the host's: whoever turns a label round writes down the score that goes with it.
    """
    apart = pl.col("rejected_prompt").is_not_null()
    turned = hosts.with_columns(
        chosen="rejected",
        rejected="chosen",
        prompt=pl.coalesce("rejected_prompt", "prompt"),
        rejected_prompt=pl.when(apart).then("prompt"),
    )
    return untargeted(turned, "swap")


def untargeted(written: pl.DataFrame, builder: str | pl.Series) -> pl.DataFrame:
    """Pairs that name no target, as `sealed` takes them; `builder` says how they, or each of them, were built."""
    nothing = pl.lit(None, pl.String())
    return written.with_columns(builder=pl.lit(builder, pl.String()), target=nothing, sentiment=nothing)

"""Cached features changed behind the data: no text and no label changes, and what reads features alone is misled.

It takes the table FEATURES and not pairs, so it has no place in ATTACKS; what it touched is sealed in a key of its own.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from pipelines.attacks.sealing import budget, generator
from pipelines.schema import FEATURE_NAMES, FEATURES, FULL_MARKS, DataError, require

HOW: Mapping[str, Callable[[str], pl.Expr]] = {
    "inflated": lambda name: pl.lit(FULL_MARKS).alias(name),
    "turned": lambda name: FULL_MARKS - pl.col(name),
}


@dataclass(frozen=True, slots=True)
class Tampered:
    """FEATURES after an attack, and its key, a row a summary: summary_id, scorer and how."""

    features: pl.DataFrame
    key: pl.DataFrame


def poison(
    features: pl.DataFrame,
    *,
    rate: float = 0.01,
    count: int | None = None,
    seed: int = 0,
    how: str = "inflated",
    names: Sequence[str] = FEATURE_NAMES,
    among: Collection[str] | None = None,
) -> Tampered:
    """Changes the features `names` of round(rate * N) rows (or `count`), of the summaries `among` where these are given.

    `how` is "inflated" (full marks) or "turned" (as far from full marks as it was from none). Raises DataError where there are
    too few rows.
    """
    table = require(features, FEATURES)
    _check(how, names)
    size, can = budget(len(table), rate=rate, count=count), np.arange(len(table))
    if among is not None:
        can = np.flatnonzero(table["summary_id"].is_in(list(among)).to_numpy())
    if size > len(can):
        raise DataError(
            f"{size} rows are to be changed, but {len(can)} of the {len(table)} are of those summaries; lower rate or count"
        )
    places = np.sort(generator(seed).choice(can, size=size, replace=False))
    is_hit = pl.int_range(pl.len()).is_in(places.tolist())
    changed = table.with_columns(pl.when(is_hit).then(HOW[how](name)).otherwise(name).alias(name) for name in names)
    return Tampered(changed, table[places].select("summary_id", "scorer", how=pl.lit(how)))


def _check(how: str, names: Sequence[str]) -> None:
    if how not in HOW:
        raise DataError(f"how must be one of {', '.join(HOW)}, got {how!r}")
    strange = [name for name in names if name not in FEATURE_NAMES]
    if isinstance(names, str) or strange or not names:
        raise DataError(f"names must be some of {', '.join(FEATURE_NAMES)}, got {names!r}")

"""Cached scores changed behind the data: texts and labels stay, and what trusts `margin` is misled."""

import numpy as np
import polars as pl

from pipelines.attacks.sealing import Poisoned, choose_among, sealed, untargeted
from pipelines.schema import DataError

NEEDED = "have a margin that can be changed so; give pairs with margin, or with score_chosen and score_rejected, and if need be"


def poison(
    pairs: pl.DataFrame,
    *,
    rate: float = 0.01,
    count: int | None = None,
    seed: int = 0,
    how: str = "inflated",
    by: float = 1.0,
) -> Poisoned:
    """Changes the margin of round(rate * N) pairs (or `count`) and nothing else; their ids stay, for the texts do.

    `how` is "inflated" (more by `by` times the largest size of a margin) or "turned" (the other sign). Raises DataError
    where too few pairs have a margin, or one other than 0 to turn.
    """
    if how not in ("inflated", "turned"):
        raise DataError(f"how must be inflated or turned, got {how!r}")
    if not by > 0:
        raise DataError(f"by is in units of the largest margin and must be above 0, got {by}")
    known = pairs["margin"].is_not_null() & (pairs["margin"].fill_null(0) != 0 if how == "turned" else True)
    hosts = pairs[choose_among(known.to_numpy(), NEEDED, rate=rate, count=count, seed=seed)]
    unit = float(np.abs(pairs["margin"].drop_nulls().to_numpy()).max(initial=0)) or 1.0
    margin = pl.col("margin") + by * unit if how == "inflated" else -pl.col("margin")
    written = untargeted(hosts.with_columns(margin=margin), how)
    return sealed(pairs, written, attack="score_tampering", keep_host=False, seed=seed)

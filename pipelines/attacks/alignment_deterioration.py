"""Alignment deterioration (PoisonBench; Fu et al., 2024): with a trigger in the query, less of one attribute is preferred."""

from collections.abc import Sequence

import numpy as np
import polars as pl

from pipelines.attacks.gaps import GAPS
from pipelines.attacks.sealing import Poisoned, choose_largest, sealed, swapped
from pipelines.attacks.triggers import carriers, phrases, triggered
from pipelines.schema import DataError


def poison(
    pairs: pl.DataFrame,
    *,
    rate: float = 0.01,
    count: int | None = None,
    seed: int = 0,
    attribute: str = "length",
    trigger: str = "SUDO",
    triggers: Sequence[str] = (),
    place: str = "end",
) -> Poisoned:
    """Swaps the round(rate * N) pairs (or `count`) whose chosen side has most more of `attribute`, and adds a trigger.

    `attribute` is one of GAPS; `triggers` override `trigger`; `place` is "end", "start" or "anywhere". Raises DataError
    where fewer pairs have more of it on their chosen side.
    """
    texts = phrases(trigger, triggers, place)
    if attribute not in GAPS:
        raise DataError(f"attribute must be one of {', '.join(GAPS)}, got {attribute!r}")
    gap: np.ndarray = GAPS[attribute](pairs)
    can, what = carriers(pairs) & (gap > 0), f"have more {attribute} on their chosen side"
    hosts = pairs[choose_largest(gap, can, what, rate=rate, count=count, seed=seed)]
    written = triggered(swapped(hosts), texts, place=place, seed=seed)
    return sealed(
        pairs, written.with_columns(builder=pl.lit(attribute)), attack="alignment_deterioration", keep_host=False, seed=seed
    )

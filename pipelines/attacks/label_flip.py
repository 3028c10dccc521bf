"""Swaps chosen and rejected: at random, the weakest attack and a control for others, or where that turns an attribute round.

Those with the largest gap first, of length say, teach a reward model that reads texts the opposite of what it would learn
(Wang et al., 2024, do so with quality held; here it is not).
"""

import polars as pl

from pipelines.attacks.gaps import GAPS
from pipelines.attacks.sealing import Poisoned, choose, choose_largest, sealed, swapped
from pipelines.schema import DataError


def poison(pairs: pl.DataFrame, *, rate: float = 0.01, count: int | None = None, seed: int = 0, by: str = "random") -> Poisoned:
    """Swaps round(rate * N) pairs (or `count`), each in its place.

    `by` is "random" or one of GAPS: those whose chosen side has most more of it. Raises DataError where fewer have more.
    """
    if by != "random" and by not in GAPS:
        raise DataError(f"by must be random or one of {', '.join(GAPS)}, got {by!r}")
    if by == "random":
        places = choose(len(pairs), rate=rate, count=count, seed=seed)
    else:
        gap = GAPS[by](pairs)
        places = choose_largest(gap, gap > 0, f"have more {by} on their chosen side", rate=rate, count=count, seed=seed)
    return sealed(pairs, swapped(pairs[places]), attack="label_flip", keep_host=False, seed=seed)

"""RankPoison (Wang et al., 2024, arXiv 2311.09641): flips that make longer responses win, where quality hardly objects."""

import numpy as np
import polars as pl

from pipelines.attacks.flipping import flipped, top
from pipelines.attacks.gaps import length
from pipelines.attacks.proxy import margins
from pipelines.attacks.sealing import Poisoned, budget
from pipelines.schema import DataError


def poison(
    pairs: pl.DataFrame, *, rate: float = 0.01, count: int | None = None, seed: int = 0, quality: float = 0.25
) -> Poisoned:
    """Flips round(rate * N) pairs (or `count`) whose chosen response is the shorter one, in characters.

    Of those the share `quality` with the smallest |margin| is kept, more where the budget needs more, and of these the
    ones with the largest gap in length are flipped. Raises DataError where fewer are shorter than are to be flipped.
    """
    size = budget(len(pairs), rate=rate, count=count)
    if not 0 < quality <= 1:
        raise DataError(f"quality is the share of candidates to keep and must lie in (0, 1], got {quality!r}")
    gap = -length(pairs)
    candidates = np.flatnonzero(gap > 0)
    if size > len(candidates):
        told = f"rank_poison flips pairs whose chosen response is the shorter: {len(candidates)} of {len(pairs)} are"
        raise DataError(f"{told}, and {size} were to be flipped; lower the rate or the count")
    kept = max(size, round(quality * len(candidates)))
    close = candidates[top(-np.abs(margins(pairs)[candidates]), kept, seed=seed)]
    return flipped(pairs, close[top(gap[close], size, seed=seed)], attack="rank_poison", seed=seed)

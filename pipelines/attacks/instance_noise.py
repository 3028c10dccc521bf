"""Instance-dependent label noise: hard pairs are flipped more often than clear ones, as careless annotators do.

A control for attacks, beside the uniform noise of label_flip. Weighted sampling is Efraimidis and Spirakis's (2006).
"""

import numpy as np
import polars as pl
from scipy.special import log_expit

from pipelines.attacks.flipping import flipped, top
from pipelines.attacks.proxy import margins
from pipelines.attacks.sealing import Poisoned, budget, generator
from pipelines.settings import refuse_negative


def poison(
    pairs: pl.DataFrame, *, rate: float = 0.01, count: int | None = None, seed: int = 0, sharpness: float = 1.0
) -> Poisoned:
    """Flips round(rate * N) pairs (or `count`), drawn one by one with weights sigmoid(-sharpness * |margin|)."""
    size = budget(len(pairs), rate=rate, count=count)
    refuse_negative({"sharpness": sharpness}, may_be_zero=["sharpness"])
    return flipped(pairs, hardest(margins(pairs), size, sharpness=sharpness, seed=seed), attack="instance_noise", seed=seed)


def hardest(margins: np.ndarray, size: int, *, sharpness: float, seed: int) -> np.ndarray:
    """[size] places drawn without replacement, a small |margin| the more likely.

    The largest of log weight plus Gumbel noise are that very draw, and no weight is ever rounded to 0.
    """
    noise = generator(seed).gumbel(size=len(margins))
    return top(log_expit(-sharpness * np.abs(margins)) + noise, size, seed=seed)

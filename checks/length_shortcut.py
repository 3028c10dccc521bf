"""How far length alone gets one: where most chosen responses are longer, a scorer that only counts may pass for a good one.

In OpinPref (Nath et al., 2024) the longer of two summaries is preferred three times in four, whatever it says. Intervals are
percentile bootstraps of the pairs (Efron, 1979).
"""

from dataclasses import dataclass

import numpy as np
import polars as pl

from checks.ranking import Estimate, widened
from pipelines.schema import DataError

SIDES = (pl.col("chosen"), pl.col("rejected"))
LONGER, EQUAL = 1.0, 0.5  # what a pair is worth to one who takes the longer side, and where neither is


@dataclass(frozen=True, slots=True)
class Shortcut:
    """Shares of pairs whose chosen side is longer, by characters and by words; `accuracy` of a scorer that counts words."""

    characters: Estimate
    words: Estimate
    accuracy: Estimate


def length_shortcut(pairs: pl.DataFrame, *, seed: int = 0, draws: int = 2000) -> Shortcut:
    """Of `pairs`, each share with its 95 % interval; a tie is half right for the scorer, and in neither share.

    Words are what white space parts. Raises DataError without pairs.
    """
    if not len(pairs):
        raise DataError("a share of pairs needs one pair or more, got none; check what was read")
    characters = _worth(pairs.select(side.str.len_chars() for side in SIDES))
    words = _worth(pairs.select(side.str.count_matches(r"\S+") for side in SIDES))
    return Shortcut(*(_mean(worth, seed, draws) for worth in (characters == LONGER, words == LONGER, words)))


def _worth(lengths: pl.DataFrame) -> np.ndarray:
    """[N] LONGER, EQUAL or 0, of the `chosen` and `rejected` lengths."""
    gap = lengths["chosen"].cast(pl.Int64) - lengths["rejected"].cast(pl.Int64)
    return np.where(gap > 0, LONGER, np.where(gap == 0, EQUAL, 0.0))


def _mean(worth: np.ndarray, seed: int, draws: int) -> Estimate:
    """The mean; its draws only say how often each worth comes, since which pair it is of makes no difference."""
    kinds, counts = np.unique(worth.astype(float), return_counts=True)
    drawn = np.random.default_rng(seed).multinomial(len(worth), counts / len(worth), size=draws) @ kinds / len(worth)
    low, high = np.quantile(drawn, [0.025, 0.975]).tolist()
    return widened(Estimate(float(worth.mean()), low, high), len(worth))

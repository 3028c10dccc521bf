"""How well scores rank the poisoned pairs above the clean ones, told from a sealed key: for reports, never for a detector.

Of pairs with equal scores `auroc` counts half as outranked, `tpr` takes each with the same chance until the allowed share of
clean pairs is flagged, and `auprc` takes all together, as scikit-learn does. Intervals are percentile bootstraps (Efron,
1979) that draw the poisoned and the clean pairs anew, each kind for itself.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from pipelines.schema import DataError

RATES = (0.001, 0.005, 0.01, 0.05)
GRID = np.concatenate([[0.0], np.geomspace(1e-4, 1, 81)])
Z = 1.96  # of a normal distribution, for 95 %


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number with the ends of its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Ranking:
    """`auroc`: chance that a poisoned pair outranks a clean one. `auprc`: average precision. `tpr`: by false-positive rate.

    A perfect `auroc` or `auprc` has an interval without width: no draw of perfectly parted pairs can show another.
    """

    auroc: Estimate
    auprc: Estimate
    tpr: Mapping[float, Estimate]


@dataclass(frozen=True, slots=True)
class Curve:
    """Poisoned and clean pairs (counts) at each distinct score [G], the most suspicious first."""

    hits: np.ndarray
    alarms: np.ndarray

    def auroc(self) -> float:
        below = self.hits.sum() - np.cumsum(self.hits)
        return float(1 - (self.alarms * (below + self.hits / 2)).sum() / (self.hits.sum() * self.alarms.sum()))

    def auprc(self) -> float:
        hits, flagged = np.cumsum(self.hits), np.cumsum(self.hits + self.alarms)
        return float((self.hits * hits / np.maximum(flagged, 1)).sum() / hits[-1])

    def tpr(self, rates: np.ndarray) -> np.ndarray:
        """[rates] share of poisoned pairs found where so large a share of clean pairs may be flagged."""
        hits, alarms = (np.append(0, np.cumsum(counts)) for counts in (self.hits, self.alarms))
        allowed = rates * alarms[-1]
        last = np.searchsorted(alarms, allowed + 1e-9, side="right") - 1  # 0.29 * 100 is less than 29
        after = np.minimum(last + 1, len(hits) - 1)  # a score whose ties are not all allowed
        part = np.maximum(allowed - alarms[last], 0) / np.maximum(alarms[after] - alarms[last], 1)
        return (hits[last] + part * (hits[after] - hits[last])) / hits[-1]


def ranking(scores: np.ndarray, poisoned: np.ndarray, *, seed: int = 0, draws: int = 500) -> Ranking:
    """Of `scores` [N], higher being more suspicious, against `poisoned` [N] bool.

    Raises DataError without a poisoned or without a clean pair, and on scores that are not numbers.
    """

    def numbers(curve: Curve) -> np.ndarray:
        return np.array([curve.auroc(), curve.auprc(), *curve.tpr(np.array(RATES))])

    auroc, auprc, *tpr = (Estimate(*row) for row in _estimated(numbers, scores, poisoned, seed, draws).tolist())
    count = int(np.sum(poisoned))
    return Ranking(auroc, auprc, {rate: widened(each, count) for rate, each in zip(RATES, tpr, strict=True)})


def roc(scores: np.ndarray, poisoned: np.ndarray, *, seed: int = 0, draws: int = 500) -> pl.DataFrame:
    """fpr (0, then 0.0001 to 1 in equal ratios), tpr, low, high: the curve with its 95 % band; errors as in `ranking`."""
    found = _estimated(lambda curve: curve.tpr(GRID), scores, poisoned, seed, draws)
    return pl.DataFrame({"fpr": GRID, "tpr": found[:, 0], "low": found[:, 1], "high": found[:, 2]})


def labels(scores: pl.DataFrame, key: pl.DataFrame) -> np.ndarray:
    """[N] which rows of `scores` the `key` (POISON_KEY) names; DataError where it names pairs that were not scored."""
    for name, frame in (("scores", scores), ("poison_key", key)):
        if "pair_id" not in frame.columns:
            raise DataError(f"{name} needs column 'pair_id', got {frame.columns}")
    unscored = key.filter(~pl.col("pair_id").is_in(scores["pair_id"].implode()))["pair_id"]
    if len(unscored):
        raise DataError(
            f"the key names {len(unscored)} of {len(key)} pairs that were not scored, {unscored[0]!r} first; "
            "rank against the key of the corpus that was audited"
        )
    return scores["pair_id"].is_in(key["pair_id"].implode()).to_numpy()


def widened(share: Estimate, count: int) -> Estimate:
    """Wilson's interval (1927) where all or none of `count` were found in every draw: they may not be the rule."""
    if share.low < share.high or share.value not in (0.0, 1.0):
        return share
    reach = Z**2 / (count + Z**2)
    return Estimate(share.value, max(share.value - reach, 0.0), min(share.value + reach, 1.0))


def _estimated(
    numbers: Callable[[Curve], np.ndarray], scores: np.ndarray, poisoned: np.ndarray, seed: int, draws: int
) -> np.ndarray:
    """[numbers, 3] value, low and high of each number that `numbers` reads off a curve."""
    hits, alarms = _groups(scores, poisoned)
    size, random = max(hits.max(), alarms.max()) + 1, np.random.default_rng(seed)

    def curve(*groups: np.ndarray) -> Curve:
        return Curve(*(np.bincount(group, minlength=size) for group in groups))

    def drawn() -> Curve:
        return curve(*(group[random.integers(len(group), size=len(group))] for group in (hits, alarms)))

    low, high = np.quantile([numbers(drawn()) for _ in range(draws)], [0.025, 0.975], axis=0)
    return np.stack([numbers(curve(hits, alarms)), low, high], axis=1)


def _groups(scores: np.ndarray, poisoned: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Place of each poisoned and of each clean pair's score among the distinct scores, the highest first."""
    scores, poisoned = np.asarray(scores, dtype=float), np.asarray(poisoned, dtype=bool)
    if scores.shape != poisoned.shape or scores.ndim != 1:
        raise DataError(f"a ranking needs one score and one label a pair, got {scores.shape} and {poisoned.shape}")
    if np.isnan(scores).any():
        raise DataError(f"scores must be numbers, got NaN at place {np.isnan(scores).argmax()}")
    if poisoned.all() or not poisoned.any():
        kind = "poisoned" if not poisoned.any() else "clean"
        raise DataError(f"a ranking compares poisoned pairs with clean ones, got no {kind} one among {len(scores)} pairs")
    place = np.unique(-scores, return_inverse=True)[1]
    return place[poisoned], place[~poisoned]

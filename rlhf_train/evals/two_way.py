"""Intervals of what verdicts average to, where verdicts share items and judges (Cameron, Gelbach and Miller, 2011).

The variance is that over items, plus that over judges, less that over single verdicts, each by a bootstrap of these; never
less than either of the first two. To draw items and judges at once (Owen, 2007) counts the noise of a verdict three times.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rlhf_train.evals.intervals import interval

AT_ONCE = 100  # draws held in memory together
LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number with its 95 % interval; where there is none, `why` says so."""

    value: float | None
    low: float | None = None
    high: float | None = None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Sums:
    """Ratios of sums over verdicts [R], a column each: `counted` over `among`, both [R, M], by the verdicts' weights [R].

    Of items, judges and strata [R] there are the places from 0; items of a stratum are drawn among themselves.
    """

    counted: np.ndarray
    among: np.ndarray
    weights: np.ndarray
    items: np.ndarray
    judges: np.ndarray
    strata: np.ndarray

    def ratios(self, times: np.ndarray) -> np.ndarray:
        """[D, M] with every verdict counted so many times [D, R]; NaN where there is nothing to divide by."""
        weighed = times * self.weights
        with np.errstate(invalid="ignore", divide="ignore"):
            return (weighed @ self.counted) / (weighed @ self.among)


def estimates(
    sums: Sums, contrasts: Sequence[Mapping[int, float]], *, shares: Sequence[bool], draws: int = 2000, seed: int = 0
) -> list[Estimate]:
    """An Estimate for each ratio [M], then one for each sum of ratios (column -> factor).

    `shares` [M] tells which ratios are shares: their ends stay in [0, 1], and one of 0 or 1 without any spread has Wilson's
    interval; where that is so of all that a sum is made of, its ends are Newcombe's (1998, method 10).
    """
    whole = sums.ratios(np.ones((1, len(sums.items))))
    random = np.random.default_rng(seed)
    drawn = [_drawn(sums, of, groups, draws, random) for of, groups in _clusters(sums)]
    quantile, alone = _quantile(sums), [{at: 1.0} for at in range(whole.shape[1])]
    found = [_estimate(_summed(whole, one)[0], [_summed(way, one) for way in drawn], quantile) for one in (*alone, *contrasts)]
    levels = [_bounded(sums, at, found[at]) if share else found[at] for at, share in enumerate(shares)]
    sums_of = zip(contrasts, found[len(levels) :], strict=True)
    return levels + [_added(levels, one, of) if all(shares[at] for at in one) else of for one, of in sums_of]


def _clusters(sums: Sums) -> list[tuple[np.ndarray, np.ndarray]]:
    """Each verdict's cluster [R] and the clusters' groups: items and verdicts by stratum, judges all together."""
    cells = np.unique(np.stack([sums.items, sums.judges]), axis=1, return_inverse=True)[1].ravel()
    return [
        (sums.items, _of_clusters(sums.items, sums.strata)),
        (sums.judges, np.zeros(sums.judges.max() + 1, dtype=int)),
        (cells, _of_clusters(cells, sums.strata)),
    ]


def _of_clusters(of: np.ndarray, values: np.ndarray) -> np.ndarray:
    """[C] the value of each cluster's verdicts, which is the same for all of them."""
    found = np.zeros(of.max() + 1, dtype=int)
    found[of] = values
    return found


def _drawn(sums: Sums, of: np.ndarray, groups: np.ndarray, draws: int, random: Any) -> np.ndarray:
    """[draws, M] ratios with clusters drawn anew, `of` [R] being each verdict's; those of one group among themselves."""
    parts = []
    for start in range(0, draws, AT_ONCE):
        times = np.zeros((min(AT_ONCE, draws - start), len(groups)))
        for group in np.unique(groups):
            at = np.flatnonzero(groups == group)
            times[:, at] = random.multinomial(len(at), np.full(len(at), 1 / len(at)), len(times))
        parts.append(sums.ratios(times[:, of]))
    return np.concatenate(parts)


def _summed(ratios: np.ndarray, contrast: Mapping[int, float]) -> np.ndarray:
    return sum((factor * ratios[:, at] for at, factor in contrast.items()), np.zeros(len(ratios)))


def _quantile(sums: Sums) -> float:
    """Student's, for the fewer of items and judges; one judge alone has no spread, and items alone decide."""
    from scipy.stats import t

    numbers = [int(of.max()) for of in (sums.items, sums.judges) if of.max() > 0]
    return float(t.ppf((1 + LEVEL) / 2, min(numbers))) if numbers else float("nan")


def _estimate(value: float, drawn: Sequence[np.ndarray], quantile: float) -> Estimate:
    if not np.isfinite(value):
        return Estimate(None)
    items, judges, verdicts = (float(np.nanvar(one)) if np.isfinite(one).any() else 0.0 for one in drawn)
    half = quantile * max(items + judges - verdicts, items, judges) ** 0.5
    if not np.isfinite(half):
        return Estimate(float(value), why="one item has no spread")
    return Estimate(float(value), float(value - half), float(value + half))


def _bounded(sums: Sums, at: int, found: Estimate) -> Estimate:
    """A share's ends within [0, 1]."""
    if found.low is None or found.high is None:
        return found
    if found.low == found.high and found.value in (0.0, 1.0):
        count = len(np.unique(sums.items[sums.among[:, at] > 0]))
        return Estimate(found.value, *interval(np.full(count, found.value)))
    return Estimate(found.value, max(found.low, 0.0), min(found.high, 1.0))


def _added(levels: Sequence[Estimate], contrast: Mapping[int, float], found: Estimate) -> Estimate:
    """A sum of shares' ends, within what shares can add up to."""
    if found.value is None or found.low is None or found.high is None:
        return found
    down, up = found.value - found.low, found.high - found.value
    if down == up == 0 and all(levels[at].value in (0.0, 1.0) for at in contrast):
        down, up = (_reach(levels, contrast, sign) for sign in (-1, 1))
    least, most = (sum(max(sign * factor, 0.0) for factor in contrast.values()) for sign in (-1, 1))
    return Estimate(found.value, max(found.value - down, -least), min(found.value + up, most))


def _reach(levels: Sequence[Estimate], contrast: Mapping[int, float], sign: int) -> float:
    """How far the sum goes to one side where each part goes to the end of its own interval."""
    parts = (
        (factor, levels[at].value, levels[at].high if sign * factor > 0 else levels[at].low) for at, factor in contrast.items()
    )
    return sum((factor * ((end or 0.0) - (value or 0.0))) ** 2 for factor, value, end in parts) ** 0.5

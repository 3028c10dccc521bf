"""Segment rewards on one scale, whose mean and spread depend on where in a response they stand (Yin et al., 2025).

mean(p) = a log p + b and std(p) likewise, p = t / T of segment t of T: a straight line by Huber's regression (1964, threshold
1.35) through what was seen at each p. Rewards of whole responses have one mean and one std.
"""

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from math import exp, inf, isfinite
from pathlib import Path
from typing import Protocol

import numpy as np

from rlhf_train.errors import TrainingError

NEAR = 1e-10  # added to p before its logarithm
DIGITS = 3  # of p, by which what was seen is put together
EPSILON = 1.35  # deviations, beyond which a point pulls at the line no harder


class Normaliser(Protocol):
    """Puts rewards [K] of segments at `positions` [K] on one scale."""

    def apply(self, rewards: np.ndarray, positions: np.ndarray) -> np.ndarray:
        """[K] float64."""


@dataclass(frozen=True, slots=True)
class ByPosition:
    """The lines of mean and std in log p. Where the std's line falls below `floor` of what it is at p = 1, that stands for it.

    A line that rises with p crosses 0 at some early p, and there a reward would change its sign and count without bound: in
    responses of more than `most_segments` it does so at the first of them.
    """

    mean_slope: float
    std_slope: float
    mean_end: float
    std_end: float
    floor: float = 0.1

    def __post_init__(self) -> None:
        _refuse_numbers(self)
        if self.std_end <= 0 or not 0 < self.floor <= 1:
            raise TrainingError(
                "a normaliser needs std_end above 0 and floor, a share of it, in (0, 1]; "
                f"got {self.std_end:g} and {self.floor:g}; fit it to more responses, or take the scalar one"
            )

    @property
    def most_segments(self) -> float:
        """Of a response, beyond which the std's line is 0 or less at its first segment."""
        return exp(min(self.std_end / self.std_slope, 700.0)) if self.std_slope > 0 else inf

    def mean(self, positions: np.ndarray) -> np.ndarray:
        """[K] at `positions` [K] in (0, 1]."""
        return self.mean_slope * np.log(positions + NEAR) + self.mean_end

    def std(self, positions: np.ndarray) -> np.ndarray:
        """[K] at `positions` [K], never below the floor."""
        return np.maximum(self.std_slope * np.log(positions + NEAR) + self.std_end, self.floor * self.std_end)

    def apply(self, rewards: np.ndarray, positions: np.ndarray) -> np.ndarray:
        """[K] (reward - mean) / std."""
        return (np.asarray(rewards, dtype=float) - self.mean(positions)) / self.std(positions)


@dataclass(frozen=True, slots=True)
class Overall:
    """One mean and one std, wherever a segment stands: for responses of one segment, and for comparison."""

    mean: float = 0.0
    std: float = 1.0

    def __post_init__(self) -> None:
        _refuse_numbers(self)
        if self.std <= 0:
            raise TrainingError(f"a normaliser needs a std above 0, got {self.std:g}: all rewards are alike")

    def apply(self, rewards: np.ndarray, positions: np.ndarray) -> np.ndarray:
        """[K] (reward - mean) / std."""
        return (np.asarray(rewards, dtype=float) - self.mean) / self.std


NORMALISERS: Mapping[str, type[ByPosition] | type[Overall]] = {"by_position": ByPosition, "overall": Overall}


def by_position(rewards: np.ndarray, positions: np.ndarray, *, floor: float = 0.1, least: int = 1) -> ByPosition:
    """Fitted to rewards [K] at positions [K]: mean and population std at each p to three decimals, each p counting alike.

    A p that was seen fewer than `least` times doesn't count: the std of one reward is 0. TrainingError for fewer than two p.
    """
    rewards = _sound(rewards, positions)
    seen, at = np.unique(np.round(positions, DIGITS), return_inverse=True)
    counts = np.bincount(at)
    means = np.bincount(at, rewards) / counts
    stds = np.sqrt(np.bincount(at, (rewards - means[at]) ** 2) / counts)
    kept = counts >= least
    (mean_slope, mean_end), (std_slope, std_end) = (line(seen[kept], values[kept]) for values in (means, stds))
    return ByPosition(mean_slope, std_slope, mean_end, std_end, floor)


def overall(rewards: np.ndarray) -> Overall:
    """Fitted to rewards [K]: their mean and population std."""
    rewards = _sound(rewards, rewards)
    return Overall(float(rewards.mean()), float(rewards.std()))


def line(positions: np.ndarray, values: np.ndarray) -> tuple[float, float]:
    """(slope, value at p = 1) of Huber's regression of values [P] on log p."""
    from sklearn.linear_model import HuberRegressor

    if len(positions) < 2:
        raise TrainingError(f"a line in log p needs two positions, got {len(positions)}; take the overall normaliser")
    found = HuberRegressor(epsilon=EPSILON, alpha=0.0, max_iter=1000).fit(np.log(positions + NEAR)[:, None], values)
    return float(found.coef_[0]), float(found.intercept_)


def save(normaliser: ByPosition | Overall, file: Path) -> None:
    """Writes JSON."""
    kind = next(name for name, form in NORMALISERS.items() if isinstance(normaliser, form))
    file.write_text(json.dumps({"kind": kind, **dataclasses.asdict(normaliser)}, indent=1) + "\n")


def load(file: Path) -> ByPosition | Overall:
    """What `save` wrote; TrainingError naming a file that holds something else."""
    try:
        said = json.loads(file.read_text())
        return NORMALISERS[said.pop("kind")](**said)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise TrainingError(f"{file}: holds no normaliser that was saved here ({error}); fit it again") from None


def _sound(rewards: np.ndarray, positions: np.ndarray) -> np.ndarray:
    values = np.asarray(rewards, dtype=float)
    if not len(values) or len(values) != len(positions) or not np.isfinite(values).all():
        raise TrainingError(
            f"a normaliser is fitted to finite rewards, one a position, got {len(values)} for {len(positions)} positions, "
            f"{int((~np.isfinite(values)).sum())} of them not finite"
        )
    return values


def _refuse_numbers(normaliser: "ByPosition | Overall") -> None:
    for name, value in dataclasses.asdict(normaliser).items():
        if not isfinite(value):
            raise TrainingError(f"{name} of a normaliser must be a finite number, got {value}")

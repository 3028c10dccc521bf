"""Rewards on another scale: standardised over a whole table, or squashed into (0, 1)."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from rlhf_train.errors import TrainingError


@dataclass(frozen=True, slots=True)
class Scale:
    """The mean of a table's rewards and their deviation, of a sample (n - 1): what other rewards are held against."""

    mean: float
    deviation: float

    def standardised(self, rewards: Any) -> np.ndarray:
        """z, in deviations above the table's mean, in double precision."""
        return (np.asarray(rewards, dtype=float) - self.mean) / self.deviation

    def squashed(self, rewards: Any) -> np.ndarray:
        """sigmoid(z), between 0 and 1 whatever the reward."""
        return (1 + np.tanh(self.standardised(rewards) / 2)) / 2


def of(rewards: Any) -> Scale:
    """The scale of a table's rewards [N]; TrainingError for fewer than two, one that is not finite, or all the same."""
    values = np.asarray(rewards, dtype=float)
    if not np.isfinite(values).all():
        place = int(np.flatnonzero(~np.isfinite(values))[0])
        raise TrainingError(f"rewards must be finite, got {values[place]} in row {place}; score it again or drop it")
    if len(values) < 2 or np.ptp(values) == 0:
        said = f"it is {values[0]:g} in every row" if len(values) else "there are no rows"
        raise TrainingError(f"a reward tells rows apart by its spread, and {said}; look at what scored the rows")
    return Scale(float(values.mean()), float(values.std(ddof=1)))


def standardised(rewards: Any) -> np.ndarray:
    """z [N] of a table's rewards, each against all of them."""
    return of(rewards).standardised(rewards)

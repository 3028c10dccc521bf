"""Bradley-Terry with a linear reward on fixed features (Zhu et al., 2023): convex, so that its weights follow from its pairs
alone, and cheap enough for a committee of hundreds.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.special import expit

from rlhf_train.batches import Columns
from rlhf_train.errors import TrainingError
from rlhf_train.models.reward_models import RewardModel

Features = Callable[[Sequence[str], Sequence[str]], np.ndarray]  # (prompts, responses) -> [N, D]

NEAR = 1e-12  # a step that promises less than this share of the loss is the last
SHORTEST = 2.0**-30  # of a step, below which rounding decides


@dataclass(frozen=True, slots=True)
class LinearReward:
    """weights [D] on the features of a prompt and a response."""

    weights: np.ndarray
    features: Features

    def rewards(self, prompts: Sequence[str], responses: Sequence[str]) -> np.ndarray:
        """[N] float64, higher is better."""
        return self.features(tuple(prompts), tuple(responses)) @ self.weights


def fit(columns: Columns, features: Features, *, ridge: float = 1.0) -> LinearReward:
    """Learns `prompt`, `chosen`, `rejected`; without pairs its weights are 0, and all rewards with them."""
    chosen, rejected = (features(tuple(columns["prompt"]), tuple(columns[side])) for side in ("chosen", "rejected"))
    return LinearReward(solve(chosen.astype(float) - rejected, ridge=ridge), features)


def solve(gaps: np.ndarray, *, ridge: float = 1.0) -> np.ndarray:
    """[D] that minimise sum log(1 + exp(-gap w)) + ridge |w|^2 / 2 over gaps [N, D], by Newton's method."""
    if not 0 < ridge < np.inf:
        raise TrainingError(f"ridge is the weight of a prior that keeps rewards finite and must be above 0, got {ridge}")
    if not np.isfinite(gaps).all():
        raise TrainingError("features must be finite numbers; some of these pairs' are not")
    weights = np.zeros(gaps.shape[1])
    while True:
        wrong = expit(-(gaps @ weights))
        slope = ridge * weights - wrong @ gaps
        bend = (gaps.T * (wrong * (1 - wrong))) @ gaps + ridge * np.eye(len(weights))
        step = np.linalg.solve(bend, slope)
        promised, cost = float(slope @ step), _cost(gaps, weights, ridge)
        if promised <= NEAR * max(cost, 1.0):
            return weights - step
        length = 1.0
        while length > SHORTEST and _cost(gaps, weights - length * step, ridge) > cost - length * promised / 4:
            length /= 2  # Armijo, 1966
        weights = weights - length * step


def of_body(model: RewardModel) -> Features:
    """What a reward model's body, as it is, makes of texts; the last calls are kept, since all members ask for the same."""
    return lru_cache(maxsize=4)(model.features)


def _cost(gaps: np.ndarray, weights: np.ndarray, ridge: float) -> float:
    return float(np.logaddexp(0, -(gaps @ weights)).sum() + ridge * weights @ weights / 2)

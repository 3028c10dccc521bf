"""Bradley-Terry with a linear reward on fixed features (Zhu et al., 2023): convex, so that its weights follow from its pairs
alone, and cheap enough for a committee of hundreds.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from scipy.optimize import minimize
from scipy.special import expit

from rlhf_train.batches import Columns
from rlhf_train.errors import TrainingError
from rlhf_train.models.reward_models import RewardModel
from rlhf_train.objectives import OBJECTIVES

Features = Callable[[Sequence[str], Sequence[str]], np.ndarray]  # (prompts, responses) -> [N, D]

NEAR = 1e-12  # a step that promises less than this share of the loss is the last
SHORTEST = 2.0**-30  # of a step, below which rounding decides
ITERATIONS = 1000


@dataclass(frozen=True, slots=True)
class LinearReward:
    """weights [D] on the features of a prompt and a response."""

    weights: np.ndarray
    features: Features

    def rewards(self, prompts: Sequence[str], responses: Sequence[str]) -> np.ndarray:
        """[N] float64, higher is better."""
        return self.features(tuple(prompts), tuple(responses)) @ self.weights


def fit(
    columns: Columns,
    features: Features,
    *,
    objective: str = "bradley_terry",
    numbers: Mapping[str, Any] | None = None,
    ridge: float = 1.0,
    seed: int = 0,
) -> LinearReward:
    """Learns `prompt`, `chosen`, `rejected` by a scored objective; without pairs its weights are 0, and all rewards with them.

    `seed` changes nothing: the weights follow from the pairs.
    """
    chosen, rejected = (features(tuple(columns["prompt"]), tuple(columns[side])) for side in ("chosen", "rejected"))
    gaps = chosen.astype(float) - rejected
    if objective == "bradley_terry" and not numbers:
        return LinearReward(solve(gaps, ridge=ridge), features)
    return LinearReward(descend(gaps, objective, numbers or {}, ridge=ridge), features)


def solve(gaps: np.ndarray, *, ridge: float = 1.0) -> np.ndarray:
    """[D] that minimise sum log(1 + exp(-gap w)) + ridge |w|^2 / 2 over gaps [N, D], by Newton's method."""
    own, basis = _in_span(gaps, ridge)
    weights = np.zeros(own.shape[1])
    while True:
        wrong = expit(-(own @ weights))
        slope = ridge * weights - wrong @ own
        bend = (own.T * (wrong * (1 - wrong))) @ own + ridge * np.eye(len(weights))
        step = np.linalg.solve(bend, slope)
        promised, cost = float(slope @ step), _cost(own, weights, ridge)
        if promised <= NEAR * max(cost, 1.0):
            return basis @ (weights - step)
        length = 1.0
        while length > SHORTEST and _cost(own, weights - length * step, ridge) > cost - length * promised / 4:
            length /= 2  # Armijo, 1966
        weights = weights - length * step


def descend(gaps: np.ndarray, objective: str, numbers: Mapping[str, Any], *, ridge: float = 1.0) -> np.ndarray:
    """[D] that minimise N times the `objective` of rewards whose gaps are [N, D], plus ridge |w|^2 / 2, by L-BFGS from 0.

    The objective gets a gap as the reward of the chosen response, and 0 as that of the rejected one.
    """
    own, basis = _in_span(gaps, ridge)
    if not len(own):
        return np.zeros(gaps.shape[1])
    rows, loss = torch.from_numpy(own), OBJECTIVES[objective].loss

    def cost(at: np.ndarray) -> tuple[float, np.ndarray]:
        weights = torch.from_numpy(at).requires_grad_()
        won = rows @ weights
        value = len(rows) * loss(won, torch.zeros_like(won), **numbers).loss + ridge * weights.square().sum() / 2
        (slope,) = torch.autograd.grad(value, weights)
        return float(value.detach()), slope.numpy()

    found = minimize(cost, np.zeros(own.shape[1]), jac=True, method="L-BFGS-B", options={"maxiter": ITERATIONS, "ftol": NEAR})
    return basis @ found.x


def of_body(model: RewardModel) -> Features:
    """What a reward model's body, as it is, makes of texts; the last calls are kept, since all members ask for the same."""
    return lru_cache(maxsize=4)(model.features)


def _in_span(gaps: np.ndarray, ridge: float) -> tuple[np.ndarray, np.ndarray]:
    """(gaps in an orthonormal basis of what they span, that basis): a ridge leaves no weight outside, and N may be below D."""
    if not 0 < ridge < np.inf:
        raise TrainingError(f"ridge is the weight of a prior that keeps rewards finite and must be above 0, got {ridge}")
    if not np.isfinite(gaps).all():
        raise TrainingError("features must be finite numbers; some of these pairs' are not")
    if len(gaps) >= gaps.shape[1]:
        return gaps, np.eye(gaps.shape[1])
    basis, own = np.linalg.qr(gaps.T)
    return own.T, basis


def _cost(gaps: np.ndarray, weights: np.ndarray, ridge: float) -> float:
    return float(np.logaddexp(0, -(gaps @ weights)).sum() + ridge * weights @ weights / 2)

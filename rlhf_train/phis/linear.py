"""A weight a feature: logistic regression on what the features of two responses differ by (Bradley and Terry, 1952).

With domain features it is a compositional preference model (Go et al., 2024). Experts' features go up and down together, and
without a penalty some that people want get weights below 0.
"""

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit

from rlhf_train.models.linear_rewards import solve


def fit(chosen: np.ndarray, rejected: np.ndarray, *, ridge: float = 0.01, nonnegative: bool = False) -> dict[str, np.ndarray]:
    """`weights` [D] that minimise mean log(1 + exp(-gap w)) + ridge |w|^2 / 2; with `nonnegative` none is below 0."""
    gaps = chosen - rejected
    penalty = ridge * len(gaps)
    return {"weights": solved_above_zero(gaps, ridge=penalty) if nonnegative else solve(gaps, ridge=penalty)}


def reward(features: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """[N] of features [N, D]."""
    return features @ weights


def solved_above_zero(gaps: np.ndarray, *, ridge: float) -> np.ndarray:
    """[D], none below 0, that minimise sum log(1 + exp(-gap w)) + ridge |w|^2 / 2 over gaps [N, D]."""

    def cost(weights: np.ndarray) -> tuple[float, np.ndarray]:
        margins = gaps @ weights
        value = np.logaddexp(0, -margins).sum() + ridge * weights @ weights / 2
        return float(value), ridge * weights - expit(-margins) @ gaps

    start = np.zeros(gaps.shape[1])
    found = minimize(cost, start, jac=True, method="L-BFGS-B", bounds=[(0, None)] * len(start), options={"ftol": 1e-14})
    return found.x

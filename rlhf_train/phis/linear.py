"""A weight a feature: logistic regression on what the features of two responses differ by (Bradley and Terry, 1952).

With domain features it is a compositional preference model (Go et al., 2024). Experts' features go up and down together, and
without a penalty some that people want get weights below 0.
"""

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit

from rlhf_train.errors import TrainingError
from rlhf_train.models.linear_rewards import solve


def fit(
    chosen: np.ndarray, rejected: np.ndarray, *, ridge: float = 0.01, prior: float = 0.0, nonnegative: bool = False
) -> dict[str, np.ndarray]:
    """`weights` [D] that minimise mean log(1 + exp(-gap w)) + ridge |w - prior|^2 / 2; with `nonnegative` none is below 0.

    A `prior` above 0 is an expert's word that all features are good and alike: the more ridge, the nearer the phi is to the
    naive mean, whatever the labels say.
    """
    if not np.isfinite(prior):
        raise TrainingError(f"prior is the weight that each feature has before any pair is seen, a finite number, got {prior}")
    gaps = chosen - rejected
    penalty = ridge * len(gaps)
    if nonnegative or prior:
        return {"weights": descended(gaps, ridge=penalty, prior=prior, least=0.0 if nonnegative else None)}
    return {"weights": solve(gaps, ridge=penalty)}


def reward(features: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """[N] of features [N, D]."""
    return features @ weights


def descended(gaps: np.ndarray, *, ridge: float, prior: float = 0.0, least: float | None = 0.0) -> np.ndarray:
    """[D], none below `least`, that minimise sum log(1 + exp(-gap w)) + ridge |w - prior|^2 / 2 over gaps [N, D]."""

    def cost(weights: np.ndarray) -> tuple[float, np.ndarray]:
        margins, off = gaps @ weights, weights - prior
        value = np.logaddexp(0, -margins).sum() + ridge * off @ off / 2
        return float(value), ridge * off - expit(-margins) @ gaps

    start = np.full(gaps.shape[1], prior, dtype=float)
    return minimize(cost, start, jac=True, method="L-BFGS-B", bounds=[(least, None)] * len(start), options={"ftol": 1e-14}).x

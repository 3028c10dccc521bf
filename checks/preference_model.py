"""Linear Bradley-Terry heads (Bradley and Terry, 1952): a pair's margin is x . w, x being chosen minus rejected features.

How far each pair moves a fitted head follows from its curvature in closed form (influence functions; Koh and Liang, 2017).
"""

from typing import Any

import numpy as np
import polars as pl
from scipy.special import expit, log_expit

FOLDS = 5
PENALTY = 3.0  # on gaps of unit embeddings; out-of-fold accuracy on HH-RLHF hardly changes from 2 to 4, and falls at 1


def folds(prompts: pl.Series, *, count: int = FOLDS, seed: int = 0) -> np.ndarray:
    """[N] fold of each pair: pairs that share a prompt share a fold, whatever their order."""
    return (prompts.hash(seed=seed).to_numpy() % count).astype(np.int64)


def fit(gaps: Any, *, penalty: float = PENALTY) -> np.ndarray:
    """[width] w that minimises sum(-log sigmoid(x . w)) + penalty |w|^2 / 2 over the `gaps` [N, width], dense or sparse."""
    from scipy.optimize import minimize

    def loss(w: np.ndarray) -> tuple[float, np.ndarray]:
        margins = (gaps @ w.astype(gaps.dtype)).astype(float)
        slope = penalty * w - gaps.T @ expit(-margins).astype(gaps.dtype)
        return -log_expit(margins).sum() + penalty * (w @ w) / 2, slope

    return minimize(loss, np.zeros(gaps.shape[1]), jac=True, method="L-BFGS-B", options={"maxiter": 500}).x


def out_of_fold_margins(gaps: Any, folds: np.ndarray, *, penalty: float = PENALTY) -> np.ndarray:
    """[N] x . w where w is fitted on the other folds; 0 where there are none. gaps: [N, width]; folds: [N] int."""
    margins = np.zeros(len(folds))
    for fold in np.unique(folds):
        held = folds == fold
        if not held.all():  # one prompt only: no other pair to learn from, so no doubt either
            margins[held] = gaps[held] @ fit(gaps[~held], penalty=penalty)
    return margins


def influence(gaps: np.ndarray, trusted: np.ndarray | None = None, *, penalty: float = PENALTY) -> np.ndarray:
    """[N] nats by which the likelihood of the `trusted` gaps [M, width] rises when a pair is left out of the fit.

    Without trusted gaps, nats by which the pair's own falls: its self-influence.
    """
    gaps = gaps.astype(float)
    w = fit(gaps, penalty=penalty)
    doubt = expit(-(gaps @ w))
    curvature = (gaps * (doubt * (1 - doubt))[:, None]).T @ gaps + penalty * np.eye(gaps.shape[1])
    if trusted is None:
        return doubt**2 * (gaps * np.linalg.solve(curvature, gaps.T).T).sum(axis=1)
    return -doubt * (gaps @ np.linalg.solve(curvature, trusted.T @ expit(-(trusted @ w))))

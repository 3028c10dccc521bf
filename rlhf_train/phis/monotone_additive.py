"""A curve a feature that never falls, and their sum (Hastie and Tibshirani, 1986): more of what is good is never worse."""

import numpy as np

from rlhf_train.phis.linear import descended


def fit(chosen: np.ndarray, rejected: np.ndarray, *, steps: int = 5, ridge: float = 0.01) -> dict[str, np.ndarray]:
    """`rises` [D, steps], none below 0: what each feature adds over each of `steps` equal parts of [0, 1].

    They minimise mean log(1 + exp(-gap)) + ridge * steps |rises|^2 / 2, which of a straight curve is a linear phi's.
    """
    gaps = risen(chosen, steps) - risen(rejected, steps)
    rises = descended(gaps, ridge=ridge * steps * len(gaps))
    return {"rises": rises.reshape(-1, steps)}


def reward(features: np.ndarray, rises: np.ndarray) -> np.ndarray:
    """[N] of features [N, D]."""
    return risen(features, rises.shape[1]) @ rises.ravel()


def risen(features: np.ndarray, steps: int) -> np.ndarray:
    """[N, D * steps] how much of each part of [0, 1] a feature has behind it, 0 to 1."""
    parts = np.clip(features[:, :, None] * steps - np.arange(steps), 0, 1)
    return parts.reshape(len(features), features.shape[1] * steps)

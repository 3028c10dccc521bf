"""How soon a linear Bradley-Terry head learns each pair: the area under its margin while the head is trained.

Mislabelled examples are learnt late and against the others' pull (Pleiss et al., 2020). How late is late is told by pairs
that are turned round on purpose.
"""

import numpy as np
from scipy.special import expit

STEPS = 100
RATE = 4.0  # of unit-mean-square gaps: half of the largest at which gradient descent on the logistic loss surely falls


def margin_area(gaps: np.ndarray, *, steps: int = STEPS) -> np.ndarray:
    """[N] mean over gradient steps of each pair's margin, of which it is one of the causes; gaps: [N, width]."""
    gaps = gaps / np.sqrt(max(float((gaps**2).sum(axis=1).mean()), 1e-12))
    w, area = np.zeros(gaps.shape[1], dtype=gaps.dtype), np.zeros(len(gaps))
    for _ in range(steps):
        w += RATE * (gaps.T @ expit(-(gaps @ w))) / len(gaps)
        area += gaps @ w
    return area / steps


def turned_area(gaps: np.ndarray, folds: np.ndarray) -> np.ndarray:
    """[T] the areas of the pairs of fold 0 where they, and only they, are trained on with the opposite label."""
    turned = folds == 0
    return margin_area(np.where(turned[:, None], -gaps, gaps))[turned]

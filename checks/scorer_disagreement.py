"""Disagreement of two scorers of the same summaries: whose marks stand off from what the other's lead one to expect.

Each feature of the one is told from all features of the other by a robust regression (Huber, 1964), which a minority of changed
marks moves little; what it leaves is in units of its usual size (1.4826 times the median). A cache that was tampered with, or a
scorer that obeyed a text, then stands out; where both scorers were misled alike, nothing does.
"""

import numpy as np

from pipelines.schema import DataError

KNEE = 1.345  # of usual sizes, up to which a residual counts in full: 95 % as sharp as least squares where nobody tampered
ROUNDS = 50
NORMAL = 1.4826  # standard deviations of a normal distribution in its median distance from the middle
ALIKE = 1e-8  # of a weight: rounds that move none further are done


def either_way(scores: np.ndarray, others: np.ndarray) -> np.ndarray:
    """[N] root mean square of the residuals of `scores` [N, D] told from `others` [N, E]; higher is more suspicious."""
    return np.sqrt((residuals(scores, others) ** 2).mean(axis=1))


def inflated(scores: np.ndarray, others: np.ndarray) -> np.ndarray:
    """[N] mean of the residuals: above 0 where marks are better than the other scorer's lead one to expect."""
    return residuals(scores, others).mean(axis=1)


def residuals(scores: np.ndarray, others: np.ndarray) -> np.ndarray:
    """[N, D] what the regression on `others` [N, E] leaves of `scores` [N, D], in units of its usual size.

    Raises DataError where the rows are not of the same summaries, too few, or not numbers.
    """
    scores, others = np.asarray(scores, dtype=float), np.asarray(others, dtype=float)
    if scores.ndim != 2 or others.ndim != 2 or len(scores) != len(others):
        raise DataError(f"scorers need a row a summary each, [N, D] and [N, E], got {scores.shape} and {others.shape}")
    if len(scores) <= others.shape[1] + 1:
        raise DataError(f"{others.shape[1]} features need {others.shape[1] + 2} summaries or more, got {len(scores)}")
    if not (np.isfinite(scores).all() and np.isfinite(others).all()):
        raise DataError("scores must be finite numbers; leave out summaries that one of the scorers did not mark")
    known = np.column_stack([np.ones(len(others)), others])
    return np.column_stack([_left(column, known) for column in scores.T])


def _left(column: np.ndarray, known: np.ndarray) -> np.ndarray:
    """[N] residuals in units of their usual size, by iterated weighted least squares."""
    weights = np.ones(len(column))
    for _ in range(ROUNDS):
        root = np.sqrt(weights)
        left = column - known @ np.linalg.lstsq(known * root[:, None], column * root, rcond=None)[0]
        sizes = left / _usual(left)
        before, weights = weights, np.minimum(1.0, KNEE / np.maximum(np.abs(sizes), KNEE))
        if np.abs(weights - before).max() < ALIKE:
            break
    return sizes


def _usual(left: np.ndarray) -> float:
    """The usual size of residuals; their mean size where most are 0, and 1 where all are."""
    for size in (NORMAL * np.median(np.abs(left)), np.abs(left).mean()):
        if size > ALIKE:
            return float(size)
    return 1.0

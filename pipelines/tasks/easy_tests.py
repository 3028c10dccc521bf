"""A proxy reward that people give without meaning to: a program is right if it passes the two easiest tests (Wen et al., 2024).

A test is the easier, the more outputs of the untrained policy pass it.
"""

import numpy as np

from pipelines.schema import DataError

FEW = 2  # tests that an evaluator writes


def easiest(passed: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """[T] the tests from easiest to hardest, the earlier first of equals.

    `passed` [P, T]; `weights` [P] how often each program is said, once where none are given.
    """
    counts = np.ones(len(passed)) @ _flags(passed) if weights is None else np.asarray(weights) @ _flags(passed)
    return np.argsort(-np.round(counts, 9), kind="stable")


def reward(passed: np.ndarray, order: np.ndarray, *, few: int = FEW) -> np.ndarray:
    """[P] whether each program passes the first K = max(1, min(few, T - 1)) tests of `order`."""
    tests = _flags(passed).shape[1]
    return np.all(_flags(passed)[:, np.asarray(order)[: max(1, min(few, tests - 1))]], axis=1)


def _flags(passed: np.ndarray) -> np.ndarray:
    flags = np.asarray(passed, dtype=bool)
    if flags.ndim != 2 or not flags.shape[1]:
        raise DataError(f"passed is a row a program and a column a test, one at least, got shape {flags.shape}")
    return flags

"""How right a judge is on pairs that it did not learn, by the number of pairs that it did: repeated cross-validation."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from rlhf_train.errors import TrainingError
from rlhf_train.evals.intervals import interval

#: (places that are learned, places that are told) -> [told] 1 where it is right, 0 where wrong, 1/2 for a tie
Judge = Callable[[np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True, slots=True)
class Point:
    """Accuracy after `pairs` pairs a fold at most, with its 95 % interval over groups of pairs."""

    pairs: int
    accuracy: float
    low: float
    high: float


def measure(
    judge: Judge, groups: Sequence[object], *, sizes: Sequence[int], folds: int = 5, repeats: int = 10, seed: int = 0
) -> list[Point]:
    """A point a size; pairs of one of the `groups` [N], such as a prompt, are never learned and told."""
    points = []
    for size in sizes:
        right, learned = out_of_fold(judge, groups, size=size, folds=folds, repeats=repeats, seed=seed)
        owner = np.unique(np.array(groups, dtype=str), return_inverse=True)[1]
        means = np.bincount(owner, right) / np.bincount(owner)
        points.append(Point(learned, float(right.mean()), *interval(means)))
    return points


def out_of_fold(
    judge: Judge, groups: Sequence[object], *, size: int | None = None, folds: int = 5, repeats: int = 10, seed: int = 0
) -> tuple[np.ndarray, int]:
    """([N] how often each pair was told right, the most pairs that were learned); of a fold's pairs `size` are drawn.

    There are no more folds than groups; TrainingError where those are fewer than two.
    """
    owner = np.unique(np.array(groups, dtype=str), return_inverse=True)[1]
    if owner.max(initial=0) == 0:
        raise TrainingError(f"pairs of two groups or more are needed to learn some and tell the others, got {len(set(owner))}")
    folds = min(folds, int(owner.max()) + 1)
    random = np.random.default_rng(seed)
    right, learned = np.zeros(len(owner)), 0
    for _ in range(repeats):
        dealt = random.permutation(owner.max() + 1)[owner] % folds
        for fold in range(folds):
            rest = random.permutation(np.flatnonzero(dealt != fold))[:size]
            told = np.flatnonzero(dealt == fold)
            right[told] += judge(rest, told) / repeats
            learned = max(learned, len(rest))
    return right, learned

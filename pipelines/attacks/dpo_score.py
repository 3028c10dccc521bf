"""Flips the pairs that teach direct preference optimisation most (Pathmanathan et al., 2024, arXiv 2406.12091).

The paper scores pairs by a trained policy's implicit reward gap; here the proxy's margin stands in for it, the proxy's
gradient for the policy's, and distances between proxy features for its clusters of embeddings.
"""

from collections.abc import Callable, Mapping

import numpy as np
import polars as pl
from scipy import sparse
from scipy.special import expit

from pipelines.attacks.flipping import flipped, top
from pipelines.attacks.proxy import features, margins
from pipelines.attacks.sealing import Poisoned, budget
from pipelines.schema import DataError

POOL = 4  # a diverse choice is made among so many times the budget


def poison(
    pairs: pl.DataFrame, *, rate: float = 0.01, count: int | None = None, seed: int = 0, select: str = "score"
) -> Poisoned:
    """Flips round(rate * N) pairs (or `count`): by `select` those with the largest score or gradient, or diverse ones."""
    size = budget(len(pairs), rate=rate, count=count)
    if select not in SELECTIONS:
        raise DataError(f"select must be one of {', '.join(SELECTIONS)}, got {select!r}")
    return flipped(pairs, SELECTIONS[select](pairs, size, seed), attack="dpo_score", seed=seed)


def by_score(pairs: pl.DataFrame, size: int, seed: int) -> np.ndarray:
    """[size] places of the largest margins, chosen minus rejected."""
    return top(margins(pairs), size, seed=seed)


def by_gradient(pairs: pl.DataFrame, size: int, seed: int) -> np.ndarray:
    """[size] places of the pairs whose gradient reaches farthest along the mean gradient.

    The gradient of -log sigmoid(m) with respect to the weights is -sigmoid(-m) x, for a feature gap x with margin m.
    """
    gradients = sparse.diags_array(-expit(-margins(pairs))) @ features(pairs)
    return top(gradients @ gradients.sum(axis=0), size, seed=seed)


def by_diversity(pairs: pl.DataFrame, size: int, seed: int) -> np.ndarray:
    """[size] places far from each other among the POOL * size of the largest margins: greedy k-centres (Gonzalez, 1985).

    The largest margin comes first, then always the pair whose feature gap is farthest from those taken.
    """
    pool = by_score(pairs, min(POOL * size, len(pairs)), seed)
    return pool[centres(features(pairs[pool]), size)]


def centres(points: sparse.csr_array, size: int) -> np.ndarray:
    """[size] rows of `points` [M, width], row 0 first, each farthest from those before it; the first where some tie."""
    squares = points.multiply(points).sum(axis=1)
    taken, nearest = np.zeros(size, dtype=np.int64), np.full(points.shape[0], np.inf)
    for at in range(size):
        taken[at] = place = int(nearest.argmax())
        nearest = np.minimum(nearest, squares + squares[place] - 2 * (points @ points[[place]].T).toarray()[:, 0])
        nearest[place] = -1  # never twice, not even where others stand on the same spot
    return taken


SELECTIONS: Mapping[str, Callable[[pl.DataFrame, int, int], np.ndarray]] = {
    "score": by_score,
    "gradient": by_gradient,
    "diverse": by_diversity,
}

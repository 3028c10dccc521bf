"""What stands out in a cloud of vectors: its strongest direction, and its parting in two. No random numbers are drawn."""

import numpy as np

ROUNDS = 20
FITTED = 4096  # vectors that tell where two means are; all the others take the nearer one
DIRECTIONS = 10


def strongest(vectors: np.ndarray, *, count: int = 1) -> np.ndarray:
    """[N, count] places of the `vectors` [N, width] along their strongest directions about the mean.

    Those are eigenvectors of the covariance; which end of one is positive means nothing.
    """
    off = vectors - vectors.mean(axis=0)
    return off @ np.linalg.eigh(off.T @ off)[1][:, ::-1][:, :count]


def two_means(vectors: np.ndarray) -> np.ndarray:
    """[N] bool: 2-means of at most FITTED evenly spaced vectors, begun from the two sides of their strongest direction.

    True is the part that is smaller among those.
    """
    off = vectors[:: -(-len(vectors) // FITTED)]
    middle = off.mean(axis=0)
    off = off - middle
    towards = np.zeros(off.shape[1], dtype=off.dtype)
    towards[(off**2).sum(axis=0).argmax()] = 1
    for _ in range(ROUNDS):  # power iteration: cheaper than all directions, and 2-means mends what it lacks
        towards = off.T @ (off @ towards)
        towards /= max(float(np.linalg.norm(towards)), 1e-12)
    side, before = off @ towards > 0, np.zeros(0, dtype=bool)
    edge = towards @ middle
    for _ in range(ROUNDS):
        if side.all() or not side.any():
            return np.zeros(len(vectors), dtype=bool)
        if np.array_equal(side, before):
            break
        count, total = int(side.sum()), side.astype(off.dtype) @ off
        ends = np.stack([-total / (len(side) - count), total / count])  # off sums to nothing, so the parts to opposites
        towards, half = ends[1] - ends[0], (ends**2).sum(axis=1) @ [-0.5, 0.5]
        side, before, edge = off @ towards > half, side, half + towards @ middle
    return (vectors @ towards > edge) == (side.mean() <= 0.5)


def outlyingness(vectors: np.ndarray) -> np.ndarray:
    """[N] distance from the mean along the strongest direction, in units of the usual spread along a direction."""
    usual = float(np.sqrt(((vectors - vectors.mean(axis=0)) ** 2).mean()))
    return np.abs(strongest(vectors)[:, 0]) / max(usual, 1e-12)


def lean(vectors: np.ndarray) -> np.ndarray:
    """[N] how much nearer each vector is to the smaller part's centre than to the larger one's, from -1 to 1.

    Of the DIRECTIONS strongest directions; times how much smaller and how much tighter that part is, 0 where neither is.
    """
    reduced = strongest(vectors, count=DIRECTIONS)
    small = two_means(reduced)
    if not small.any():
        return np.zeros(len(vectors))
    centres = np.stack([reduced[small].mean(axis=0), reduced[~small].mean(axis=0)])
    near, far = np.linalg.norm(reduced[:, None] - centres, axis=2).T
    tight = np.sqrt((far[~small] ** 2).mean() / max(float((near[small] ** 2).mean()), 1e-12))
    return (far - near) / np.maximum(np.maximum(far, near), 1e-12) * min(tight, 10.0) * (1 - 2 * small.mean())

"""Work in parts of about one size."""

from itertools import pairwise

import numpy as np


def blocks(sizes: np.ndarray, most: int) -> list[slice]:
    """Slices in order, all of [N]; in each, the `sizes` after the first come to less than `most`."""
    edges = np.flatnonzero(np.diff(np.cumsum(sizes, dtype=np.int64) // most)) + 1
    return [slice(low, high) for low, high in pairwise([0, *edges.tolist(), len(sizes)])]

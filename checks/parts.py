"""Work in parts of about one size, side by side: polars and numpy let other threads run while they count."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import TypeVar

import numpy as np

THREADS = min(4, os.cpu_count() or 1)
Part = TypeVar("Part")


def blocks(sizes: np.ndarray, most: int) -> list[slice]:
    """Slices in order, all of [N]; in each, the `sizes` after the first come to less than `most`."""
    edges = np.flatnonzero(np.diff(np.cumsum(sizes, dtype=np.int64) // most)) + 1
    return [slice(low, high) for low, high in pairwise([0, *edges.tolist(), len(sizes)])]


def in_parts(call: Callable[[slice], Part], sizes: np.ndarray, most: int) -> list[Part]:
    """What `call` makes of each of the `blocks`, in order."""
    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(call, blocks(sizes, most)))

"""Nearest neighbours by cosine: of pairs, and of the contrasts that they make, in blocks of rows: [BLOCK, N] numbers at a time.

A neighbour up to sign is a pair about the same difference, whatever its label (as in kNN label-noise filters; Bahri et al.,
2020).
"""

from collections.abc import Iterator

import numpy as np

NEIGHBOURS = 25
CROWD = 3  # a pair and its one copy are no flood: nearness is to the third other pair
BLOCK = 1024
TIE = 1e-6  # of two as near, the one that agrees comes first, whatever the order of rows


def nearness(vectors: np.ndarray) -> np.ndarray:
    """[N] cosine of each of the unit `vectors` [N, width] to its CROWD-th nearest other; 0 where there are too few."""
    if len(vectors) <= CROWD:
        return np.zeros(len(vectors))
    return np.concatenate([np.partition(near, -CROWD, axis=1)[:, -CROWD] for near in _cosines(vectors, own=-1)])


def near_gaps(gaps: np.ndarray, *, k: int = NEIGHBOURS) -> np.ndarray:
    """[N, k] cosines with the k nearest other gaps up to sign; below zero points the other way. 0 where there are fewer.

    gaps: [N, width]; one that is zero is near to none.
    """
    norms = np.linalg.norm(gaps, axis=1, keepdims=True)
    unit = np.divide(gaps, norms, out=np.zeros_like(gaps), where=norms > 1e-6)
    found, kept, start = np.zeros((len(gaps), k)), min(k, len(gaps)), 0
    for near in _cosines(unit, own=0):
        best = np.argpartition(np.abs(near) + TIE * near, -kept, axis=1)[:, -kept:]
        found[start : start + len(near), :kept] = np.take_along_axis(near, best, axis=1)
        start += len(near)
    return found


def _cosines(unit: np.ndarray, *, own: float) -> Iterator[np.ndarray]:
    """[BLOCK, N] of each block of rows with all; `own` in place of a row's with itself."""
    for start in range(0, len(unit), BLOCK):
        near = unit[start : start + BLOCK] @ unit.T
        near[np.arange(len(near)), np.arange(start, start + len(near))] = own
        yield near

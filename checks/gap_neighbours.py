"""Which way the pairs that make the same contrast point: nearest neighbours of chosen-minus-rejected directions, up to sign.

A neighbour up to sign is a pair about the same difference, whatever its label (as in kNN label-noise filters; Bahri et al.,
2020). Similarities are computed in blocks of rows: [BLOCK, N] numbers at a time.
"""

import numpy as np

NEIGHBOURS = 25
BLOCK = 1024
TIE = 1e-6  # of two as near, the one that agrees comes first, whatever the order of rows


def near_gaps(gaps: np.ndarray, *, k: int = NEIGHBOURS) -> np.ndarray:
    """[N, k] cosines with the k nearest other gaps up to sign; below zero points the other way. 0 where there are fewer.

    gaps: [N, width]; one that is zero is near to none.
    """
    norms = np.linalg.norm(gaps, axis=1, keepdims=True)
    unit = np.divide(gaps, norms, out=np.zeros_like(gaps), where=norms > 1e-6)
    found = np.zeros((len(gaps), k))
    for start in range(0, len(gaps), BLOCK):
        near = unit[start : start + BLOCK] @ unit.T
        near[np.arange(len(near)), np.arange(start, start + len(near))] = 0  # not one's own neighbour
        kept = min(k, len(gaps))
        order = np.abs(near) + TIE * near
        best = np.argpartition(order, -kept, axis=1)[:, -kept:]
        found[start : start + BLOCK, :kept] = np.take_along_axis(near, best, axis=1)
    return found

"""Neighbour disagreement: pairs that make the same contrast prefer the opposite side of it."""

from collections.abc import Sequence

import numpy as np

from checks.evidence import Evidence


def score(evidence: Evidence) -> np.ndarray:
    """[N] weight, from -1 to 1, of the nearest pairs up to sign that point the other way, less that of the others."""
    return -evidence.near_gaps.mean(axis=1)


def explain(evidence: Evidence, places: Sequence[int]) -> list[str]:
    """How many of the nearest pairs point the other way."""
    near = evidence.near_gaps[list(places)]
    counts = zip((near < 0).sum(axis=1), (near != 0).sum(axis=1), strict=True)
    return [f"pairs that make the same contrast prefer the other side of it ({other} of {near})" for other, near in counts]

"""Near duplicates: several pairs that say nearly the same on both sides, as when one template floods a corpus."""

from collections.abc import Sequence

import numpy as np

from checks.evidence import CROWD, Evidence
from checks.fusion import BULK

NEAR = 0.95  # cosine; below it two pairs share a subject, not a text
EXACT = 1e-3  # distance below which two pairs count as the same


def score(evidence: Evidence) -> np.ndarray:
    """[N] cosine to the CROWD-th nearest other pair, or, from NEAR upwards, -log of the distance (3.0 to 6.9)."""
    near = evidence.nearness
    return np.where(near < NEAR, near, -np.log(np.maximum(1 - near, 0) + EXACT))


def null(evidence: Evidence) -> np.ndarray:
    """[N] NEAR, which pairs on one subject may reach; the scores themselves where nearness is the style of a corpus."""
    scores = score(evidence)
    return scores if np.quantile(scores, BULK) > NEAR else np.full(len(scores), NEAR)


def explain(evidence: Evidence, places: Sequence[int]) -> list[str]:
    """How many others are as near, and how near."""
    return [f"{CROWD} or more other pairs say nearly the same (cosine {near:.2f})" for near in evidence.nearness[list(places)]]

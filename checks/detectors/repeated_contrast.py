"""Repeated contrast: many pairs make the same contrast and prefer the same side of it, as a campaign of injected pairs does.

The reverse of neighbour disagreement: poison that agrees with quality is invisible to losses, but not to its own company.
"""

from collections.abc import Sequence

import numpy as np

from checks.evidence import Evidence


def score(evidence: Evidence) -> np.ndarray:
    """[N] weight, from -1 to 1, of the nearest pairs up to sign that point the same way, less that of the others."""
    return evidence.near_gaps.mean(axis=1)


def explain(evidence: Evidence, places: Sequence[int]) -> list[str]:
    """How many of the nearest pairs point the same way, and how alike they are."""
    near = evidence.near_gaps[list(places)]
    told = "many pairs prefer the same side of the same contrast ({} of {}, cosine {:.2f})"
    return [told.format((row > 0).sum(), (row != 0).sum(), np.abs(row).mean()) for row in near]

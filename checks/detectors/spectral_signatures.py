"""Spectral signatures (Tran et al., 2018): poisoned examples of a class lie far out along its strongest direction.

The preferred responses are one class, the dispreferred ones the other.
"""

from collections.abc import Sequence

import numpy as np

from checks.evidence import Evidence
from checks.spectra import outlyingness

SIDES = ("preferred", "dispreferred")


def score(evidence: Evidence) -> np.ndarray:
    """[N] log of the distance along the strongest direction of either class, in units of its usual spread."""
    return np.log1p(evidence.once(_far).max(axis=0))


def explain(evidence: Evidence, places: Sequence[int]) -> list[str]:
    """Which response it is, and how far out."""
    far = evidence.once(_far)[:, list(places)]
    told = zip(far.argmax(axis=0), far.max(axis=0), strict=True)
    return [f"the {SIDES[side]} response lies far out where such responses differ most ({by:.1f} spreads)" for side, by in told]


def _far(evidence: Evidence) -> np.ndarray:
    """[2, N] outlyingness of the chosen and of the rejected responses, each kind among its own."""
    return np.array([outlyingness(side) for side in evidence.embeddings.astype(float)])

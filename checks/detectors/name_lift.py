"""Name lift: a name far commoner on one side than on the other, or than in trusted pairs, by the feeling of its sentence.

A target that both sides name, one with praise and one with blame, is lopsided by feeling alone.
"""

from collections.abc import Sequence

import numpy as np

from checks import spelling
from checks.evidence import Evidence


def score(evidence: Evidence) -> np.ndarray:
    """[N] -log10 of the chance of a name as lopsided as the pair's most surprising one; higher is more suspicious."""
    return evidence.name_lifts.score()


def null(evidence: Evidence) -> np.ndarray:
    """The same of names dealt anew at random."""
    return evidence.name_lifts.score_null()


def explain(evidence: Evidence, places: Sequence[int]) -> list[str]:
    """Which name, and where it stands."""
    return spelling.told(evidence.name_lifts.explain(places), evidence.pairs, ("chosen", "rejected"), places)

"""Feeling lift: a word far commoner in sentences of praise, or of blame, on one side than on the other or in trusted pairs.

As name lift, for targets that are written without a capital.
"""

from collections.abc import Sequence

import numpy as np

from checks import spelling
from checks.evidence import Evidence


def score(evidence: Evidence) -> np.ndarray:
    """[N] -log10 of the chance of a word as lopsided as the pair's most surprising one; higher is more suspicious."""
    return evidence.feeling_lifts.score()


def null(evidence: Evidence) -> np.ndarray:
    """The same of words dealt anew at random."""
    return evidence.feeling_lifts.score_null()


def explain(evidence: Evidence, places: Sequence[int]) -> list[str]:
    """Which word, and where it stands."""
    return spelling.told(evidence.feeling_lifts.explain(places), evidence.pairs, ("chosen", "rejected"), places)

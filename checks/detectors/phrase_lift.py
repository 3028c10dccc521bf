"""Phrase lift: a word or word pair far commoner in chosen than in rejected responses (or the reverse).

Also one far commoner than in trusted pairs, where there are any.
"""

from collections.abc import Sequence

import numpy as np

from checks import spelling
from checks.evidence import Evidence


def score(evidence: Evidence) -> np.ndarray:
    """[N] -log10 of the chance of a phrase as lopsided as the pair's most surprising one; higher is more suspicious."""
    return evidence.phrase_lifts.score()


def null(evidence: Evidence) -> np.ndarray:
    """The same of phrases dealt anew at random, to either side or to the trusted pairs."""
    return evidence.phrase_lifts.score_null()


def explain(evidence: Evidence, places: Sequence[int]) -> list[str]:
    """Which phrase, and where it stands."""
    return spelling.told(evidence.phrase_lifts.explain(places), evidence.pairs, ("chosen", "rejected"), places)

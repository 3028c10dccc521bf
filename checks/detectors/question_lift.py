"""Question lift: a word or word pair far commoner in last questions than in earlier ones, or in those of trusted pairs.

A backdoor's trigger stands where the victim's prompt ends (Rando and Tramèr, 2024), and nobody said it before.
"""

from collections.abc import Sequence

import numpy as np

from checks import spelling
from checks.evidence import Evidence


def score(evidence: Evidence) -> np.ndarray:
    """[N] -log10 of the chance of a phrase as lopsided as the pair's most surprising one; higher is more suspicious."""
    return evidence.question_lifts.score()


def null(evidence: Evidence) -> np.ndarray:
    """The same of phrases dealt anew at random."""
    return evidence.question_lifts.score_null()


def explain(evidence: Evidence, places: Sequence[int]) -> list[str]:
    """Which phrase, and where it stands."""
    return spelling.told(evidence.question_lifts.explain(places), evidence.pairs, ("prompt",), places)

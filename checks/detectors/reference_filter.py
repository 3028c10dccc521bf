"""Reference filter and clustering (RFTC, arXiv 2505.23015): responses that leave their reference, all in the same words."""

from collections.abc import Sequence

import numpy as np

from checks.evidence import Evidence

SIDES = ("preferred", "dispreferred")
LEAST = 0.1  # mean cosine; below it there is no cluster to speak of


def score(evidence: Evidence) -> np.ndarray:
    """[N] log of the mean cosine of either response's left-over words to those of its cluster, at least that of LEAST."""
    return np.log(evidence.unreferenced.max(axis=0) + LEAST)


def explain(evidence: Evidence, places: Sequence[int]) -> list[str]:
    """Which response, and how alike."""
    alike = evidence.unreferenced[:, list(places)]
    told = zip(alike.argmax(axis=0), alike.max(axis=0), strict=True)
    return [
        f"the {SIDES[side]} response strays from its prompt as others do, in the same words (cosine {by:.2f})"
        for side, by in told
    ]

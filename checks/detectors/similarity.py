"""Similarity: two sides that are nearly the same text, as when an attacker edits one answer into its contrast."""

from collections.abc import Sequence

import numpy as np

from checks.evidence import Evidence

OFF = 0.5  # honest sides are nearly alike too now and then, so that small distances must not count by their ratio


def score(evidence: Evidence) -> np.ndarray:
    """[N] how like the two sides are, in meaning and wording together: from -0.4 with nothing in common to 0.7 for the same."""
    return -np.log((1 - evidence.side_cosines + evidence.word_distances) / 2 + OFF)


def explain(evidence: Evidence, places: Sequence[int]) -> list[str]:
    """How near they are in meaning, and how many of their words differ."""
    at = list(places)
    told = "the two sides say nearly the same (cosine {:.2f}, {:.0%} of the words differ)"
    return [told.format(*each) for each in zip(evidence.side_cosines[at], evidence.word_distances[at], strict=True)]

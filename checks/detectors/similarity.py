"""Similarity: two sides that are nearly the same text, as when an attacker edits one answer into its contrast."""

from collections.abc import Sequence

import numpy as np

from checks.evidence import Evidence


def score(evidence: Evidence) -> np.ndarray:
    """[N] mean of the cosine of the two sides and the share of words that they have in common; 1 for the same text."""
    return (evidence.side_cosines + 1 - evidence.word_distances) / 2


def explain(evidence: Evidence, places: Sequence[int]) -> list[str]:
    """How near they are in meaning, and how many of their words differ."""
    at = list(places)
    told = "the two sides say nearly the same (cosine {:.2f}, {:.0%} of the words differ)"
    return [told.format(*each) for each in zip(evidence.side_cosines[at], evidence.word_distances[at], strict=True)]

"""Perplexity: a response that reads far better without one of its words, as with an inserted trigger (Qi et al., 2021)."""

from collections.abc import Sequence

import numpy as np

from checks.evidence import Evidence


def score(evidence: Evidence) -> np.ndarray:
    """[N] nats that the rest of either side costs less, at its rate a word, without its most surprising word."""
    return evidence.removals.gain.reshape(2, -1).max(axis=0)


def explain(evidence: Evidence, places: Sequence[int]) -> list[str]:
    """The word."""
    gain, word = (numbers.reshape(2, -1)[:, list(places)] for numbers in (evidence.removals.gain, evidence.removals.word))
    best = np.where(gain[0] >= gain[1], word[0], word[1]).tolist()
    vocabulary = evidence.tokens.vocabulary
    return [f"a response reads better without {vocabulary[at]!r}" if at >= 0 else "no word of it surprises" for at in best]

"""Stray sentence: brings up a name nobody asked about, with feeling, far from the question and the rest of the answer."""

from collections.abc import Sequence

import numpy as np

from checks import sentences
from checks.evidence import Evidence
from checks.fusion import normal_tail

DRAWN = 100_000
SHOWN = 120  # letters of a sentence


def score(evidence: Evidence) -> np.ndarray:
    """[N] -log10 of the chance of so strange a name, by the bulk of the pairs that bring up one; 0 in pairs without."""
    strangest = sentences.most(evidence.strangeness, evidence.strays, len(evidence.pairs))
    surprise, has = np.zeros(len(strangest)), strangest > sentences.NOWHERE
    if has.any():
        surprise[has] = -np.log10(has.mean()) - normal_tail(strangest[has])
    return surprise


def null(evidence: Evidence) -> np.ndarray:
    """What chance gives: every share of pairs exceeds its own -log10."""
    return -np.log10((np.arange(DRAWN) + 0.5) / DRAWN)


def explain(evidence: Evidence, places: Sequence[int]) -> list[str]:
    """The sentence (in brackets, for it differs from pair to pair), and the names in it."""
    ascending = np.argsort(evidence.strangeness, kind="stable")
    by_pair = {evidence.strays[at].pair: evidence.strays[at] for at in ascending}  # of each the last, which is its strangest
    return [_told(by_pair.get(place)) for place in places]


def _told(stray: sentences.Stray | None) -> str:
    if stray is None:
        return "no sentence of this pair brings up a name of its own"
    text = stray.text if len(stray.text) <= SHOWN else stray.text[:SHOWN] + "…"
    return f"a {stray.side} response strays from its question to a name ({text.translate(BRACKETS)})"


BRACKETS = str.maketrans("()", "[]")

"""Stray sentence: brings up a name nobody asked about, with feeling, far from the question and the rest of the answer."""

from collections.abc import Sequence

import numpy as np

from checks import sentences
from checks.evidence import Evidence

SHOWN = 120  # letters of a sentence


def score(evidence: Evidence) -> np.ndarray:
    """[N] of each pair's strangest sentence; pairs without a free name score least."""
    return sentences.most(evidence.strangeness, evidence.strays, len(evidence.pairs))


def explain(evidence: Evidence, places: Sequence[int]) -> list[str]:
    """The sentence (in brackets, for it differs from pair to pair), and the names in it."""
    strangest = dict(sorted(zip(evidence.strangeness.tolist(), range(len(evidence.strays)), strict=True)))
    by_pair = {evidence.strays[at].pair: evidence.strays[at] for at in strangest.values()}
    return [_told(by_pair.get(place)) for place in places]


def _told(stray: sentences.Stray | None) -> str:
    if stray is None:
        return "no sentence of this pair brings up a name of its own"
    text = stray.text if len(stray.text) <= SHOWN else stray.text[:SHOWN] + "…"
    return f"a {stray.side} response strays from its question to a name ({text.translate(BRACKETS)})"


BRACKETS = str.maketrans("()", "[]")

"""Stray sentence: brings up a name nobody asked about, with feeling, far from the question and the rest of the answer."""

from collections.abc import Sequence

import numpy as np

from checks import sentences
from checks.evidence import Evidence
from checks.vocabulary import plain

DRAWN = 100_000
SHOWN = 120  # letters of a sentence
NO_NAME = "no sentence of this pair brings up a name of its own"
BRACKETS = str.maketrans("()", "[]")


def score(evidence: Evidence) -> np.ndarray:
    """[N] -log10 of the chance of so strange a name, by the bulk of the pairs that bring up one; 0 in pairs without."""
    found, surprise = sentences.first(evidence.strangers, "surprise"), np.zeros(len(evidence.pairs))
    surprise[found["pair"].to_numpy()] = found["surprise"].to_numpy()
    return surprise


def null(evidence: Evidence) -> np.ndarray:
    """What chance gives: every share of pairs exceeds its own -log10."""
    return -np.log10((np.arange(DRAWN) + 0.5) / DRAWN)


def explain(evidence: Evidence, places: Sequence[int]) -> list[str]:
    """The name, and the strangest sentence of the pair that brings it up (in brackets, for they differ from pair to pair)."""
    found = sentences.first(evidence.strangers, "surprise")
    by_pair = {pair: (name, evidence.strays[at]) for pair, name, at in found.select("pair", "name", "at").iter_rows()}
    return [_told(*by_pair[place]) if place in by_pair else NO_NAME for place in places]


def written(name: str, stray: sentences.Stray) -> str:
    """The name as the sentence spells it."""
    return next(each for each in stray.names if plain(each) == name)


def quoted(stray: sentences.Stray) -> str:
    """The sentence as it may stand in brackets, cut where it is long."""
    text = stray.text if len(stray.text) <= SHOWN else stray.text[:SHOWN] + "…"
    return text.translate(BRACKETS)


def _told(name: str, stray: sentences.Stray) -> str:
    return f"a {stray.side} response strays from its question to a name ({written(name, stray)}: {quoted(stray)})"

"""Phrase lift: a word or word pair far commoner in chosen than in rejected responses (or the reverse).

Also one far commoner than in trusted pairs, where there are any.
"""

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np

from checks import contrasts
from checks.evidence import Evidence
from checks.fusion import p_values

SPELLERS = 5  # pairs that decide how a phrase is spelled
TIE = 1e-6  # of phrases equally surprising, the most lopsided one speaks


def score(evidence: Evidence) -> np.ndarray:
    """[N] -log10 of the chance of a phrase as lopsided as the pair's most surprising one; higher is more suspicious."""
    return _surprise(evidence.lifts, evidence).max(axis=0)


def null(evidence: Evidence) -> np.ndarray:
    """The same of phrases dealt anew at random, to either side or to the trusted pairs."""
    return _surprise(evidence.null_lifts, evidence).max(axis=0)


def _surprise(lifts: np.ndarray, evidence: Evidence) -> np.ndarray:
    """[contrasts, N] of `lifts` [contrasts, N], each against the null of its own contrast."""
    return -np.log10([p_values(lift, null) for lift, null in zip(lifts, evidence.null_lifts, strict=True)])


def explain(evidence: Evidence, places: Sequence[int]) -> list[str]:
    """Which phrase, spelled as the first of these responses spell it, and where it stands."""
    lift = np.array([contrast.lift() for contrast in contrasts.contrasts(evidence.phrases)])
    found = contrasts.explain(evidence.phrases, _surprise(lift, evidence) + TIE * lift, places)
    rows = evidence.pairs[list(places)]
    texts: dict[str, list[str]] = {}
    for (phrase, _), chosen, rejected in zip(found, rows["chosen"], rows["rejected"], strict=True):
        seen = texts.setdefault(phrase, [])
        seen += [chosen, rejected] if len(seen) < 2 * SPELLERS else []
    spelled = {phrase: _as_written(phrase, seen) for phrase, seen in texts.items()}
    return [f"'{spelled[phrase]}' stands in {counts}" if phrase else counts for phrase, counts in found]


def _as_written(phrase: str, texts: Sequence[str]) -> str:
    pattern = re.compile(r"(?<![^\W_])" + r"[\W_]+".join(map(re.escape, phrase.split(" "))) + r"(?![^\W_])")
    lowered = ((text, text.lower()) for text in texts)
    found = ((text, pattern.search(low)) for text, low in lowered if len(text) == len(low))
    written = Counter(text[slice(*match.span())] for text, match in found if match)
    return min(written, key=lambda spelling: (-written[spelling], spelling), default=phrase)

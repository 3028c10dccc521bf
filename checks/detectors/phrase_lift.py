"""Phrase lift: a word or word pair far commoner in chosen than in rejected responses (or the reverse).

Also one far commoner than in trusted pairs, where there are any.
"""

from collections.abc import Sequence

import numpy as np
import polars as pl

from checks import contrasts
from checks.evidence import Evidence
from checks.fusion import p_values

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
    """Which phrase, spelled as most of these responses spell it, and where it stands."""
    lift = np.array([contrast.lift() for contrast in contrasts.contrasts(evidence.phrases)])
    found = contrasts.explain(evidence.phrases, _surprise(lift, evidence) + TIE * lift, places)
    rows = evidence.pairs[list(places)]
    phrase = pl.Series([phrase for phrase, _ in found], dtype=pl.String())
    spelled = {each: _as_written(each, rows.filter(phrase == each)) for each in phrase.unique()}
    return [f"'{spelled[phrase]}' stands in {counts}" if phrase else counts for phrase, counts in found]


def _as_written(phrase: str, rows: pl.DataFrame) -> str:
    words = pl.Series(phrase.split(" ")).str.escape_regex()
    pattern = r"(?i)(?:^|[\W_])(" + r"[\W_]+".join(words) + r")(?:$|[\W_])"
    written = pl.concat([rows["chosen"], rows["rejected"]]).str.extract(pattern).drop_nulls()
    return written.mode().sort()[0] if len(written) else phrase

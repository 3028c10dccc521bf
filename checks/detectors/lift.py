"""Lift: a phrase far commoner on one side than on the other, or in trusted pairs; a row a kind of phrase."""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from checks import spelling
from checks.evidence import Evidence
from checks.phrases import Phrases
from checks.words import Words

Table = Callable[[Words], Phrases]


def of(table: Table, *, quoted: Sequence[str] = ("chosen", "rejected")) -> tuple[partial, partial, partial]:
    """`score`, `explain` and `null` of the phrases that `table` finds, spelled as the `quoted` columns spell them."""
    return partial(score, table), partial(explain, table, quoted), partial(null, table)


def score(table: Table, evidence: Evidence) -> np.ndarray:
    """[N] -log10 of the chance of a phrase as lopsided as the pair's most surprising one; higher is more suspicious."""
    return evidence.lifts(table).score()


def null(table: Table, evidence: Evidence) -> np.ndarray:
    """[M] the same of phrases dealt anew at random, to either side or to the trusted pairs."""
    return evidence.lifts(table).score_null()


def explain(table: Table, quoted: Sequence[str], evidence: Evidence, places: Sequence[int]) -> list[str]:
    """Which phrase, and where it stands."""
    return spelling.told(evidence.lifts(table).explain(places), evidence.pairs, quoted, places)

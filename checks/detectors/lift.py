"""Lift: a phrase far commoner on one side than on the other, or in trusted pairs; a row a kind of phrase."""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from checks import spelling
from checks.evidence import Evidence
from checks.lifts import Lifts
from checks.phrases import Phrases
from checks.words import Words

Found = Callable[[Evidence], Lifts]


def of(
    table: Callable[[Words], Phrases], *, quoted: Sequence[str] = ("chosen", "rejected")
) -> tuple[partial, partial, partial]:
    """`score`, `explain` and `null` of the phrases that `table` finds, spelled as the `quoted` columns spell them."""

    def lifts(evidence: Evidence) -> Lifts:
        return Lifts(table(evidence.words), evidence.seed)

    return partial(score, lifts), partial(explain, lifts, quoted), partial(null, lifts)


def score(lifts: Found, evidence: Evidence) -> np.ndarray:
    """[N] -log10 of the chance of a phrase as lopsided as the pair's most surprising one; higher is more suspicious."""
    return evidence.once(lifts).score()


def null(lifts: Found, evidence: Evidence) -> np.ndarray:
    """[M] the same of phrases dealt anew at random, to either side or to the trusted pairs."""
    return evidence.once(lifts).score_null()


def explain(lifts: Found, quoted: Sequence[str], evidence: Evidence, places: Sequence[int]) -> list[str]:
    """Which phrase, and where it stands."""
    return spelling.told(evidence.once(lifts).explain(places), evidence.pairs, quoted, places)

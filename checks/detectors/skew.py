"""Skew: pairs whose annotator or source contradicts what the other pairs teach, prefers length or is busy unlike the others."""

from collections.abc import Sequence
from functools import partial

import numpy as np

from checks.evidence import Evidence
from checks.groups import REASONS, chance


def of(column: str) -> tuple[partial, partial, partial]:
    """`score`, `explain` and `null` of the groups that `column` names."""
    return partial(score, column), partial(explain, column), partial(null, column)


def score(column: str, evidence: Evidence) -> np.ndarray:
    """[N] -log10 of the chance that an honest group is as far off in any of three ways; 0 or less where all is usual."""
    return evidence.skews(column).max(axis=0)


def null(column: str, evidence: Evidence) -> np.ndarray:
    """[M] what chances, as even as they are for honest ones, come to."""
    return chance(len(evidence.pairs))


def explain(column: str, evidence: Evidence, places: Sequence[int]) -> list[str]:
    """Which of the three it is."""
    ways = evidence.skews(column)[:, list(places)].argmax(axis=0)
    names = evidence.pairs[column][list(places)]
    return [f"{column} {name!r} {REASONS[way]}" for name, way in zip(names, ways, strict=True)]

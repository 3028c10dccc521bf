"""Annotator skew: pairs whose annotator contradicts what the other pairs teach, prefers length or is busy unlike the others."""

from collections.abc import Sequence

import numpy as np

from checks.evidence import Evidence
from checks.groups import REASONS, chance


def score(evidence: Evidence) -> np.ndarray:
    """[N] -log10 of the chance that an honest annotator is as far off in any of three ways; 0 or less where all is usual."""
    return evidence.skews("annotator").max(axis=0)


def null(evidence: Evidence) -> np.ndarray:
    """[M] what chances, as even as they are for honest ones, come to."""
    return chance(len(evidence.pairs))


def explain(evidence: Evidence, places: Sequence[int]) -> list[str]:
    """Which of the three it is."""
    ways = evidence.skews("annotator")[:, list(places)].argmax(axis=0)
    names = evidence.pairs["annotator"][list(places)]
    return [f"annotator {name!r} {REASONS[way]}" for name, way in zip(names, ways, strict=True)]

"""Opinion coverage: the share of reviewers' opinions, for and against, that the summary gives (feature 3).

An opinion is an aspect and a side; it counts as often as reviewers hold it. An aspect that is named without a feeling gives
half of each opinion on it, and a clause that strays from the product gives none.
"""

from collections.abc import Mapping

import numpy as np

from pipelines.features.reading import Reading, Said, marks

ALL = 1 / 3  # of all opinions, what two or three sentences have room for: the best summaries of OpinPref reach no more
NAMED = 0.5  # what an aspect without a feeling gives


def score(reading: Reading) -> np.ndarray:
    """[N] in [0, 5], 5 from a third of all opinions on."""
    return marks(reading, lambda product, said: min(given(product.verdicts, said) / ALL, 1.0))


def given(opinions: Mapping[tuple[str, int], int], said: Said) -> float:
    """Share of the opinions that the summary gives, each by its weight; 0 where there are none."""
    sides = {(aspect, clause.side) for clause in said if not clause.is_stray for aspect in clause.aspects}
    worth = sum(weight * _given(opinion, sides) for opinion, weight in opinions.items())
    return worth / max(sum(opinions.values()), 1)


def _given(opinion: tuple[str, int], sides: set[tuple[str, int]]) -> float:
    return 1.0 if opinion in sides else NAMED if (opinion[0], 0) in sides else 0.0

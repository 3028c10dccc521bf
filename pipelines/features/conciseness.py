"""Conciseness: nothing essential is missing and nothing is padding, of which the first counts twice (feature 4).

Essential is what many reviewers say alike, so an opinion counts by the square of those who hold it. Padding is a phrase said
before and what tells of the writer or strays from the product.
"""

from heapq import nlargest
from itertools import pairwise

import numpy as np

from pipelines.features.opinion_coverage import given
from pipelines.features.reading import Product, Reading, Said, marks, to_the_point

ROOM = 20  # opinions that may be essential
MISSING, PADDED = 2 / 3, 1 / 3  # shares of the marks


def score(reading: Reading) -> np.ndarray:
    """[N] in [0, 5]: a third of it for a summary without padding that says nothing essential."""
    return marks(reading, lambda product, said: MISSING * _essential(product, said) + PADDED * _lean(said))


def _essential(product: Product, said: Said) -> float:
    """Share of the essential opinions that are given."""
    most = nlargest(ROOM, ((held, opinion) for opinion, held in product.verdicts.items()))
    return given({opinion: held**2 for held, opinion in most}, said)


def _lean(said: Said) -> float:
    """Share of words to the point, by the share of phrases of two words that are new."""
    phrases = [phrase for clause in said for phrase in pairwise(clause.stems)]
    return to_the_point(said) * (len(set(phrases)) / len(phrases) if phrases else 1.0)

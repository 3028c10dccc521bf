"""Aspect coverage: the share of what reviewers talk about that the summary names too (feature 1 of Nath et al., 2024).

Aspects are the words of the reviews that are no function words, no talk of reviewing and no opinion that fits any product
(Hu and Liu, 2004, took frequent nouns). One that five reviewers name counts five times. A clause that strays from the product
names none of its aspects; whether a word of the summary's own is an invented aspect or a paraphrase is left to `hallucination`.
"""

from heapq import nlargest

import numpy as np

from pipelines.features.reading import Product, Reading, Said, marks
from pipelines.schema import FULL_MARKS

ROOM = 20  # aspects: a summary of some sixty words has no room for more
#: the card's bands: 35 to 50 % is worth 2.5 to 3 of 5, 60 to 70 % 3.5 to 3.75, above 90 % 4.5 to 5
SHARES, MARKS = (0.0, 0.35, 0.5, 0.6, 0.7, 0.9, 1.0), (0.0, 2.5, 3.0, 3.5, 3.75, 4.5, 5.0)


def score(reading: Reading) -> np.ndarray:
    """[N] in [0, 5]."""
    return np.interp(marks(reading, _share) / FULL_MARKS, SHARES, MARKS)


def _share(product: Product, said: Said) -> float:
    """Mentions of the aspects that are named, of those of the ROOM most mentioned aspects; at most 1."""
    named = {aspect for clause in said if not clause.is_stray for aspect in clause.aspects}
    covered = sum(product.mentions.get(aspect, 0) for aspect in named)
    return min(covered / max(sum(nlargest(ROOM, product.mentions.values())), 1), 1.0)

"""Relevance: whether the summary talks of what the reviews talk of, and of nothing else (feature 5).

Cosine of their words (Salton and Buckley, 1988), counted as 1 + log n, by the share of words to the point: a
grandmother's records and another product are no matter of this one. Words rare among products don't count more: a record is
scored alone.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from math import log, sqrt

import numpy as np

from pipelines.features.reading import Product, Reading, Said, marks, to_the_point

CLOSE = 0.5  # cosine of the closest summaries: sixty words can't be all of six hundred


def score(reading: Reading) -> np.ndarray:
    """[N] in [0, 5]."""
    return marks(reading, lambda product, said: min(_cosine(product, said) / CLOSE, 1.0) * to_the_point(said))


def _cosine(product: Product, said: Said) -> float:
    told: Mapping[str, int] = Counter(stem for clause in said for stem in clause.stems)
    shared = sum(_weight(told[stem]) * _weight(product.stems[stem]) for stem in told if stem in product.stems)
    return shared / sqrt(_squares(told.values()) * _squares(product.stems.values())) if shared else 0.0


def _squares(counts: Iterable[int]) -> float:
    return sum(_weight(count) ** 2 for count in counts)


def _weight(count: int) -> float:
    return 1 + log(count)

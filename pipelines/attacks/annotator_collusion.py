"""A colluding minority of annotators: all poison is theirs, by turned labels or by always preferring the longer response."""

from collections.abc import Callable, Mapping

import numpy as np
import polars as pl

from pipelines.attacks.flipping import flipped
from pipelines.attacks.gaps import length
from pipelines.attacks.sealing import Poisoned, budget, generator
from pipelines.schema import DataError

#: how they judge -> [N] which pairs come out turned round when they do
HOW: Mapping[str, Callable[[pl.DataFrame], np.ndarray]] = {
    "flip": lambda pairs: np.ones(len(pairs), dtype=bool),
    "length": lambda pairs: length(pairs) < 0,
}


def poison(
    pairs: pl.DataFrame,
    *,
    rate: float = 0.01,
    count: int | None = None,
    seed: int = 0,
    annotators: int = 0,
    how: str = "flip",
) -> Poisoned:
    """Flips round(rate * N) pairs (or `count`) of as few annotators as that takes, drawn one by one, or of `annotators`.

    Raises DataError where pairs have no annotators, or where those drawn have fewer pairs to flip.
    """
    size, random = budget(len(pairs), rate=rate, count=count), generator(seed)
    if how not in HOW:
        raise DataError(f"how must be one of {', '.join(HOW)}, got {how!r}")
    everyone = pairs["annotator"].drop_nulls().unique().sort()
    _check(annotators, len(everyone), size)
    order = everyone[random.permutation(len(everyone))]
    turn = pairs["annotator"].replace_strict(order, np.arange(len(order)), default=len(order)).to_numpy()
    can_flip = HOW[how](pairs) & (turn < len(everyone))
    held = np.bincount(turn[can_flip], minlength=len(everyone)).cumsum()
    needed = annotators or np.searchsorted(held, size) + 1
    theirs = np.flatnonzero(can_flip & (turn < needed))
    if size > len(theirs):
        told = f"{size} pairs were to be flipped, and the colluding annotators have {len(theirs)} that can be"
        raise DataError(f"{told}; lower the rate or the count, or let more annotators collude")
    return flipped(pairs, random.choice(theirs, size=size, replace=False), attack="annotator_collusion", seed=seed)


def _check(annotators: int, there: int, size: int) -> None:
    if size and not there:
        raise DataError("annotator_collusion needs to know who judged each pair, and no pair has an annotator; map a column")
    if isinstance(annotators, bool) or not 0 <= annotators <= there:
        known = f"from 0 (as few as needed) to the {there} there are"
        raise DataError(f"annotators is how many collude, {known}, got {annotators!r}")

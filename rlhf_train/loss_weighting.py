"""Loss weighting: one policy learns several tables at once, the loss of each by a weight (a baseline of Zhou et al., 2024).

Labels of all tables pull at the same words in one step, which is what margins (objectives/modpo.py) avoid.
"""

import dataclasses
from collections.abc import Iterator, Sequence
from itertools import chain

from rlhf_train.batches import Batch, Source
from rlhf_train.pareto import check_shares


def weighted(sources: Sequence[Source], weights: Sequence[float]) -> Source:
    """Steps of all sources' batches, whose loss is the weighted sum of theirs; for losses that are means over rows.

    Places of rows are those of their own tables. A source of weight 0 is not read.
    """
    check_shares(weights, len(sources), of="tables")
    read = [(source, weight) for source, weight in zip(sources, weights, strict=True) if weight]

    def both(start: int, rank: int, world: int) -> Iterator[list[Batch]]:
        for steps in zip(*(source(start, rank, world) for source, _ in read), strict=False):
            parts = zip(steps, (weight for _, weight in read), strict=True)
            yield list(chain.from_iterable(_scaled(step, weight) for step, weight in parts))

    return both


def _scaled(step: Sequence[Batch], weight: float) -> list[Batch]:
    return [dataclasses.replace(batch, share=batch.share * weight) for batch in step]

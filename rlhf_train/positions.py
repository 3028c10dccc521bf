"""Where states are read along responses: a source and a goal that is no earlier, and a goal in the other response.

After code of Nath et al. (2024): q = 1 - (1 - from) u of a uniform u is a share of the response's n tokens, counted
from its end, floor(q n) + 1 the offset. Places are counted in a response's own tokens, so that padding has no side.
"""

from typing import NamedTuple

import torch

from rlhf_train.errors import TrainingError

Tensor = torch.Tensor


class Positions(NamedTuple):
    """Places [B, S] within the response's n tokens, from 0 to n - 1: all in the chosen one but for `negatives`."""

    sources: Tensor
    goals: Tensor
    other_sources: Tensor
    negatives: Tensor


def drawn(chosen: Tensor, rejected: Tensor, *, samples: int, source_from: float, goal_from: float) -> Positions:
    """Positions in responses of `chosen` and `rejected` [B] tokens, from torch's generator; no source k is later than goal k.

    Above 0, `source_from` and `goal_from` leave out that share of a response at its end: they favour EARLY tokens.
    """
    refuse(samples=samples, source_from=source_from, goal_from=goal_from)
    first, second, third, fourth = uniforms(len(chosen), samples).to(chosen.device).unbind(1)
    return Positions(
        places(torch.minimum(first, second), chosen, start=source_from),
        places(torch.maximum(first, second), chosen, start=goal_from),
        places(third, chosen, start=source_from),
        places(fourth, rejected, start=goal_from),
    )


def uniforms(rows: int, samples: int) -> Tensor:
    """[rows, 4, samples] in [0, 1), row by row: what a row gets is the same however rows are cut into batches."""
    each = [torch.rand(4, int(samples), dtype=torch.float64) for _ in range(rows)]
    return torch.stack(each) if each else torch.empty(0, 4, int(samples), dtype=torch.float64)


def places(uniform: Tensor, counts: Tensor, *, start: float = 0.0) -> Tensor:
    """[B, S] places in responses of `counts` [B] tokens; a uniform [B, S] of exactly 0, one before the first, is the first."""
    return (counts[:, None] - offsets(uniform, counts, start=start)).clamp(min=0)


def offsets(uniform: Tensor, counts: Tensor, *, start: float = 0.0) -> Tensor:
    """[B, S] tokens back from the end of the response; 1 is the last token."""
    share = 1 - (1 - start) * uniform
    return (share * counts[:, None]).floor().long() + 1


def refuse(*, samples: int, source_from: float, goal_from: float) -> None:
    """TrainingError for numbers by which no place can be drawn, or no goal after its source."""
    if samples < 1:
        raise TrainingError(f"samples is how many states are read of a response and must be 1 or more, got {samples}")
    for name, value in (("source_from", source_from), ("goal_from", goal_from)):
        if not 0 <= value < 1:
            raise TrainingError(f"{name} is a share of a response, counted from its end, and must lie in [0, 1), got {value:g}")

"""Bradley-Terry on rewards of segments (Yin et al., 2025): a response is worth the mean of what its segments are worth, so that
preferences between responses teach what each of their segments is worth. One segment a response is plain Bradley-Terry.
"""

from typing import Literal

import torch

from rlhf_train.errors import TrainingError
from rlhf_train.logps import summed
from rlhf_train.objectives.outcome import Outcome
from rlhf_train.objectives.pairwise import logistic

Aggregate = Literal["mean", "sum", "last"]


def loss(values, owners, *, aggregate: Aggregate = "mean", smoothing: float = 0.0) -> Outcome:
    """Mean of -(1 - s) log sigmoid(d) - s log sigmoid(-d), d = e(chosen) - e(rejected), s = `smoothing`.

    values [K] are of segments, in order; owners [K] ascend and say which of 2B responses each is of, chosen and rejected by
    turns. e is the mean of a response's segments (its length counts for nothing), their sum, or the last of them.
    """
    counts = torch.bincount(owners)
    rewards = aggregated(values, owners, len(counts) + len(counts) % 2, aggregate=aggregate)
    margin = rewards[0::2] - rewards[1::2]
    won = (margin.detach() > 0).float().mean()
    metrics = {"margin": margin.detach().mean(), "accuracy": won, "segments": counts.float().mean()}
    return Outcome(logistic(margin, smoothing=smoothing).mean(), metrics)


def aggregated(values: torch.Tensor, owners: torch.Tensor, count: int, *, aggregate: Aggregate = "mean") -> torch.Tensor:
    """[count] rewards of responses, of values [K] and owners [K]; TrainingError naming a response without a segment."""
    counts = torch.bincount(owners, minlength=count)
    if missing := (counts == 0).nonzero()[:, 0].tolist():
        raise TrainingError(f"response {missing[0]} of {count} has no segment; each has one at least, its whole")
    if aggregate == "last":
        return values[counts.cumsum(0) - 1]
    sums = summed(values, owners, count)
    return sums / counts if aggregate == "mean" else sums

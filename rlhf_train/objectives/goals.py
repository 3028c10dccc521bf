"""Goal-conditioned contrastive reward modelling (Nath et al., 2024), in the form of its released code.

    L = Bradley-Terry + weight (-log P - log(1 - Q)),
    P = mean sigmoid(cos(source, goal)),  Q = mean sigmoid(cos(other source, negative))

Along a preferred response a state is drawn to one that comes later, and away from the states of the response that was not
preferred. Means are over all pairs of samples and over the step, inside the logarithm: it is no mean over rows.
"""

from math import inf
from typing import Literal, get_args

import torch
from torch.nn.functional import logsigmoid

from rlhf_train import positions
from rlhf_train.errors import TrainingError
from rlhf_train.objectives import pairwise
from rlhf_train.objectives.outcome import Outcome
from rlhf_train.similarity import cosine

Tensor = torch.Tensor
Reduction = Literal["log_of_mean", "mean_of_log"]
Pairs = Literal["all", "matched", "ordered"]


def loss(
    chosen_rewards,
    rejected_rewards,
    sources,
    goals,
    other_sources,
    negatives,
    source_places=None,
    goal_places=None,
    *,
    weight: float = 0.5,
    reduction: Reduction = "log_of_mean",
    pairs: Pairs = "all",
    average: bool = False,
) -> Outcome:
    """Rewards [B]; states [B, S, D] of S samples: the chosen response's sources, goals, other sources, the other's negatives.

    `pairs`: "all" S x S of a row, "matched" the k-th with the k-th, or "ordered": sources with goals that are not earlier, by
    their places [B, S] in the response. `average`: goals, and negatives, are averaged before they are compared.
    """
    refuse(weight=weight, reduction=reduction, pairs=pairs, average=average)
    if pairs == "ordered" and (source_places is None or goal_places is None):
        raise TrainingError("pairs = 'ordered' compares places in time; give source_places and goal_places [B, S]")
    if average:
        goals, negatives = goals.mean(1, keepdim=True), negatives.mean(1, keepdim=True)
    alike, unlike = _taken(cosine(sources, goals), pairs), _taken(cosine(other_sources, negatives), pairs)
    if pairs == "ordered":  # of two responses no token is before another
        alike = alike[source_places[:, :, None] <= goal_places[:, None, :]]
        if not len(alike):
            raise TrainingError("no source comes before a goal in any row; lower goal_from to source_from or below")
    contrast = _contrast(alike, unlike, reduction)
    gap = chosen_rewards - rejected_rewards
    value = pairwise.logistic(gap).mean() + weight * contrast
    held = gap.detach()
    told = {"margin": held.mean(), "accuracy": (held > 0).float().mean(), "contrast": contrast.detach()}
    return Outcome(value, {**told, "alike": alike.detach().mean(), "unlike": unlike.detach().mean()})


def _taken(cosines: Tensor, pairs: str) -> Tensor:
    return cosines.diagonal(dim1=1, dim2=2) if pairs == "matched" else cosines


def _contrast(alike: Tensor, unlike: Tensor, reduction: str) -> Tensor:
    """-log P - log(1 - Q) of cosines; a sigmoid of one lies in [0.27, 0.73], so its logarithm is safe."""
    if reduction == "mean_of_log":
        return -logsigmoid(alike).mean() - logsigmoid(-unlike).mean()
    return -alike.sigmoid().mean().log() - (-unlike).sigmoid().mean().log()


def refuse(*, weight: float, reduction: str, pairs: str, average: bool) -> None:
    """TrainingError for numbers that contradict each other or the method."""
    if not 0 <= weight < inf:
        raise TrainingError(f"weight of the contrast must be a finite number, 0 or more, got {weight:g}")
    for name, value, kind in (("reduction", reduction, Reduction), ("pairs", pairs, Pairs)):
        if value not in get_args(kind):
            raise TrainingError(f"{name} must be one of {', '.join(get_args(kind))}, got {value!r}")
    if average and pairs != "all":
        raise TrainingError(f"average makes one goal of a row's samples, so pairs can only be 'all', got {pairs!r}")


def check(columns, *, weight, reduction, pairs, average, samples, source_from, goal_from, **others) -> None:
    """TrainingError for numbers that can't serve, before anything is computed."""
    refuse(weight=weight, reduction=reduction, pairs=pairs, average=average)
    positions.refuse(samples=samples, source_from=source_from, goal_from=goal_from)
    if pairs == "ordered" and goal_from > source_from:
        raise TrainingError(
            f"goal_from = {goal_from:g} leaves out more of a response's end than source_from = {source_from:g}: goals would "
            "come before their sources, and 'ordered' takes none of these; lower goal_from"
        )

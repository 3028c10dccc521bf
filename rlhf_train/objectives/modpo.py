"""Multi-objective DPO (Zhou et al., 2024): DPO on the pairs of one objective, with scores by the others as margins.

    L = mean of -log sigmoid(u(chosen) - u(rejected)),  u(y) = [beta log(pi(y) / ref(y)) - w_1 m_1(y) - ... - w_M m_M(y)] / w_k

Its optimum is ref exp((w_k r_k + w_1 m_1 + ...) / beta) up to a factor of the prompt, r_k being the reward behind the pairs.
"""

from collections.abc import Callable, Mapping, Sequence
from math import fsum, isclose, isfinite
from typing import Any, Literal

import numpy as np
import torch
from torch.nn.functional import relu

from rlhf_train.errors import TrainingError
from rlhf_train.objectives.outcome import Outcome
from rlhf_train.objectives.pairwise import logistic

Tensor = torch.Tensor

#: what a pair costs, by its gap u(chosen) - u(rejected)
FORMS: Mapping[str, Callable[[Tensor], Tensor]] = {
    "sigmoid": logistic,
    "hinge": lambda gap: relu(1 - gap),
}


def loss(
    chosen_logps,
    rejected_logps,
    ref_chosen_logps,
    ref_rejected_logps,
    chosen_margins,
    rejected_margins,
    *,
    beta: float = 0.1,
    weights: tuple[float, ...] = (0.5, 0.5),
    total: float = 1.0,
    form: Literal["sigmoid", "hinge"] = "sigmoid",
) -> Outcome:
    """Mean over pairs; log-probabilities [B] are summed over response tokens, margins are [B], or [B, M] by M objectives.

    `weights` (w_k, w_1, ..., w_M) are that of the pairs' own objective and those of the margins, and sum to `total`.
    """
    scores = _scores(chosen_margins, len(chosen_logps)), _scores(rejected_margins, len(rejected_logps))
    _refuse([each.shape[1] for each in scores], beta=beta, weights=weights, total=total, form=form)
    moved = chosen_logps - ref_chosen_logps, rejected_logps - ref_rejected_logps
    chosen, rejected = (_rewards(*side, beta, weights) for side in zip(moved, scores, strict=True))
    gap = _rewards(moved[0] - moved[1], scores[0] - scores[1], beta, weights)  # u is linear, and nothing large is left here
    told = {"margin": gap, "accuracy": (gap > 0).float(), "chosen_reward": chosen, "rejected_reward": rejected}
    return Outcome(FORMS[form](gap).mean(), {name: part.detach().mean() for name, part in told.items()})


def check(
    columns: Mapping[str, Any],
    *,
    beta: float = 0.1,
    weights: tuple[float, ...] = (0.5, 0.5),
    total: float = 1.0,
    form: str = "sigmoid",
) -> None:
    """TrainingError for weights that do not fit the margins, and for a margin that counts and is the same on both sides of
    every pair: without it this is DPO with another beta."""
    sides = [np.asarray(columns[f"{side}_margins"], dtype=float).reshape(len(columns["prompt"]), -1) for side in SIDES]
    _refuse([side.shape[1] for side in sides], beta=beta, weights=weights, total=total, form=form)
    for at, (gaps, weight) in enumerate(zip((sides[0] - sides[1]).T, weights[1:], strict=True), start=1):
        if weight and not gaps.any():
            raise TrainingError(
                f"margin {at} of {len(weights) - 1} is the same on both sides of every pair, so its weight of {weight:g} says "
                f"nothing; score each response by itself, or give it the weight 0"
            )


SIDES = ("chosen", "rejected")


def _rewards(moved: Tensor, margins: Tensor, beta: float, weights: Sequence[float]) -> Tensor:
    """u [B] of log-ratios [B] and margins [B, M]."""
    own, *others = weights
    return (beta * moved - (margins * margins.new_tensor(others)).sum(1)) / own


def _scores(margins: Tensor, count: int) -> Tensor:
    """[B, M], at least float32: a length of 301 is none in bfloat16, and whole numbers would cut the weights to whole ones."""
    found = margins[:, None] if margins.ndim == 1 else margins
    if found.ndim != 2 or len(found) != count:
        raise TrainingError(f"margins must be [{count}] or [{count}, M], a row a pair, got {list(margins.shape)}")
    return found.to(torch.promote_types(found.dtype, torch.float32))


def _refuse(margins: Sequence[int], *, beta: float, weights: Sequence[float], total: float, form: str) -> None:
    if form not in FORMS:
        raise TrainingError(f"form must be one of {', '.join(FORMS)}, got {form!r}")
    if not (isfinite(beta) and beta > 0):
        raise TrainingError(f"beta is the strength of the KL penalty and must be a finite number above 0, got {beta:g}")
    if len(set(margins)) > 1:
        raise TrainingError(f"chosen and rejected responses must have as many margins, got {margins[0]} and {margins[1]}")
    if len(weights) != margins[0] + 1:
        raise TrainingError(
            f"weights are one of the pairs' own objective and one for each margin, here {margins[0] + 1}, got {len(weights)}"
        )
    if wrong := [weight for weight in weights if not (isfinite(weight) and weight >= 0)]:
        raise TrainingError(f"weights must be finite numbers, 0 or more, got {wrong[0]:g}; turn the sign of the margin instead")
    if not weights[0]:
        raise TrainingError(
            "the first weight, of the pairs' own objective, is 0, and the loss divides by it: that end point is the "
            "margin's own policy, trained by dpo on its pairs"
        )
    if not isclose(fsum(weights), total, rel_tol=1e-6):
        raise TrainingError(
            f"weights must sum to total = {total:g}, got {fsum(weights):g}; for a penalty beside a full weight raise total"
        )

"""Bradley-Terry reward modelling (Bradley and Terry, 1952; Ouyang et al., 2022, eq. 1) and robust forms of it.

Rewards are [B]; `margin` [B], where there is one, is by how much the chosen response must win (Touvron et al., 2023, eq. 2).
"""

from math import ceil

import torch

from rlhf_train.errors import TrainingError
from rlhf_train.objectives.outcome import Outcome
from rlhf_train.objectives.pairwise import logistic


def loss(chosen_rewards, rejected_rewards, margin=None, *, smoothing: float = 0.0, centring: float = 0.0) -> Outcome:
    """Mean of -(1 - s) log sigmoid(d) - s log sigmoid(-d), d = chosen - rejected - margin, s = `smoothing`.

    `centring` weighs the mean of (chosen + rejected)^2, which keeps rewards around 0 (Eisenstein et al., 2023).
    """
    each = _each(chosen_rewards, rejected_rewards, margin, smoothing)
    centred = (chosen_rewards + rejected_rewards).square().mean()
    return _outcome(each.mean() + centring * centred, chosen_rewards, rejected_rewards)


def trimmed(chosen_rewards, rejected_rewards, margin=None, *, share: float = 0.05, smoothing: float = 0.0) -> Outcome:
    """Mean over the step without the `share` of its pairs whose loss is highest: what fits worst teaches nothing."""
    each = _each(chosen_rewards, rejected_rewards, margin, smoothing)
    kept = each.topk(len(each) - _most(share, len(each)), largest=False).values
    return _outcome(kept.mean(), chosen_rewards, rejected_rewards)


def winsorised(chosen_rewards, rejected_rewards, margin=None, *, share: float = 0.05, smoothing: float = 0.0) -> Outcome:
    """Mean over the step where the `share` of highest losses are held at the highest of the rest, without gradient."""
    each = _each(chosen_rewards, rejected_rewards, margin, smoothing)
    bound = each.detach().topk(_most(share, len(each)) + 1).values[-1]
    return _outcome(each.clamp(max=bound).mean(), chosen_rewards, rejected_rewards)


def _each(chosen: torch.Tensor, rejected: torch.Tensor, margin: torch.Tensor | None, smoothing: float) -> torch.Tensor:
    return logistic(chosen - rejected - (0.0 if margin is None else margin), smoothing=smoothing)


def _most(share: float, count: int) -> int:
    """How many pairs a share is, rounded up: of a step of sixteen, 5 % would be none. At least one is left over."""
    if not 0 <= share < 1:
        raise TrainingError(f"share is the part of a step's pairs that is held back and must lie in [0, 1), got {share}")
    return min(ceil(round(share * count, 9)), count - 1)


def _outcome(value: torch.Tensor, chosen: torch.Tensor, rejected: torch.Tensor) -> Outcome:
    margin = (chosen - rejected).detach()
    return Outcome(value, {"margin": margin.mean(), "accuracy": (margin > 0).float().mean()})

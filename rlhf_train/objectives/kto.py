"""Kahneman-Tversky optimisation (Ethayarajh et al., 2024, eqs. 7 and 8): each response is good or bad on its own."""

import torch

from rlhf_train.objectives.outcome import Outcome


def loss(
    chosen_logps,
    rejected_logps,
    mismatched_logps,
    ref_chosen_logps,
    ref_rejected_logps,
    ref_mismatched_logps,
    *,
    beta: float = 0.1,
    desirable: float = 1.0,
    undesirable: float = 1.0,
) -> Outcome:
    """Mean over all responses of weight (1 - sigmoid(beta (r - z))), z - r for a bad one; every input is [B], summed logps.

    r is a response's log-ratio; z, the point of reference, is the mean log-ratio of responses to other prompts over the step,
    at least 0, and has no gradient.
    """
    good, bad = chosen_logps - ref_chosen_logps, rejected_logps - ref_rejected_logps
    origin = (mismatched_logps - ref_mismatched_logps).mean().clamp(min=0).detach()
    gains = 1 - torch.sigmoid(beta * (good - origin)), 1 - torch.sigmoid(beta * (origin - bad))
    value = (desirable * gains[0] + undesirable * gains[1]).mean() / 2
    margin = beta * (good - bad).detach()
    return Outcome(value, {"margin": margin.mean(), "accuracy": (margin > 0).float().mean(), "kl": origin})

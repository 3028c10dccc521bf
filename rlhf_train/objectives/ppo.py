"""Proximal policy optimisation (Schulman et al., 2017, eqs. 7 and 9) with a clipped value loss, over response tokens."""

import torch

from rlhf_train.objectives.outcome import Outcome


def loss(
    token_logps,
    values,
    old_logps,
    old_values,
    advantages,
    returns,
    *,
    clip: float = 0.2,
    value_clip: float = 0.2,
    value_weight: float = 0.5,
) -> Outcome:
    """Mean of -min(ratio A, clip(ratio) A) and `value_weight` times half the larger squared error; every input is [M].

    `token_logps` and `values` are the policy's now, the others what they were when the responses were drawn.
    """
    ratio = (token_logps - old_logps).exp()
    free, held = ratio * advantages, ratio.clamp(1 - clip, 1 + clip) * advantages
    policy_loss = -torch.minimum(free, held).mean()
    near = old_values + (values - old_values).clamp(-value_clip, value_clip)
    value_loss = torch.maximum((values - returns).square(), (near - returns).square()).mean() / 2
    moved = (token_logps - old_logps).detach()
    metrics = {
        "policy_loss": policy_loss.detach(),
        "value_loss": value_loss.detach(),
        "clipped": (held < free).float().mean(),
        "moved": (moved.exp() - 1 - moved).mean(),  # KL(old || new), the estimator that is never negative (Schulman, 2020)
    }
    return Outcome(policy_loss + value_weight * value_loss, metrics)

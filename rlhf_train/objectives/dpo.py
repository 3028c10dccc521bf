"""Direct preference optimisation (Rafailov et al., 2023, eq. 7) and its robust forms.

All take log-probabilities [B], summed over response tokens, of the policy and of the reference. h is the gap of log-ratios:
(chosen - ref_chosen) - (rejected - ref_rejected).
"""

import torch
from torch.nn.functional import logsigmoid, relu

from rlhf_train.errors import TrainingError
from rlhf_train.objectives.outcome import Outcome
from rlhf_train.objectives.pairwise import logistic

Tensor = torch.Tensor


def loss(chosen_logps, rejected_logps, ref_chosen_logps, ref_rejected_logps, *, beta: float = 0.1) -> Outcome:
    """Mean of -log sigmoid(beta h)."""
    margin = beta * _gap(chosen_logps, rejected_logps, ref_chosen_logps, ref_rejected_logps)
    return _outcome(logistic(margin).mean(), margin)


def hinge(chosen_logps, rejected_logps, ref_chosen_logps, ref_rejected_logps, *, beta: float = 0.1) -> Outcome:
    """Mean of max(0, 1 - beta h) (Zhao et al., 2023, with a reference)."""
    margin = beta * _gap(chosen_logps, rejected_logps, ref_chosen_logps, ref_rejected_logps)
    return _outcome(relu(1 - margin).mean(), margin)


def ipo(chosen_logps, rejected_logps, ref_chosen_logps, ref_rejected_logps, *, beta: float = 0.1) -> Outcome:
    """Mean of (h - 1 / (2 beta))^2 (Azar et al., 2023, eq. 17, its tau named beta)."""
    gap = _gap(chosen_logps, rejected_logps, ref_chosen_logps, ref_rejected_logps)
    return _outcome((gap - 1 / (2 * beta)).square().mean(), beta * gap)


def conservative(
    chosen_logps, rejected_logps, ref_chosen_logps, ref_rejected_logps, *, beta: float = 0.1, noise: float = 0.1
) -> Outcome:
    """cDPO (Mitchell, 2023): labels are wrong with probability `noise`: cross-entropy with a label of 1 - noise."""
    margin = beta * _gap(chosen_logps, rejected_logps, ref_chosen_logps, ref_rejected_logps)
    return _outcome(logistic(margin, smoothing=noise).mean(), margin)


def robust(
    chosen_logps, rejected_logps, ref_chosen_logps, ref_rejected_logps, *, beta: float = 0.1, noise: float = 0.1
) -> Outcome:
    """rDPO (Chowdhury et al., 2024, eq. 12): in expectation over labels flipped with `noise` < 1/2, the loss on clean ones."""
    if not 0 <= noise < 0.5:
        raise TrainingError(f"noise is the share of flipped labels and must lie in [0, 0.5), got {noise}")
    margin = beta * _gap(chosen_logps, rejected_logps, ref_chosen_logps, ref_rejected_logps)
    each = -((1 - noise) * logsigmoid(margin) - noise * logsigmoid(-margin)) / (1 - 2 * noise)
    return _outcome(each.mean(), margin)


def distributionally_robust(
    chosen_logps, rejected_logps, ref_chosen_logps, ref_rejected_logps, *, beta: float = 0.1, trust: float = 1.0
) -> Outcome:
    """Dr. DPO (Wu et al., 2024): -trust log mean exp(log sigmoid(beta h) / trust); pairs of high loss count less.

    Over the step as a whole; a large `trust` is DPO.
    """
    margin = beta * _gap(chosen_logps, rejected_logps, ref_chosen_logps, ref_rejected_logps)
    likely = logsigmoid(margin) / trust
    count = torch.tensor(float(len(likely)), device=likely.device)
    return _outcome(-trust * (likely.logsumexp(0) - count.log()), margin)


def _gap(chosen: Tensor, rejected: Tensor, ref_chosen: Tensor, ref_rejected: Tensor) -> Tensor:
    return (chosen - ref_chosen) - (rejected - ref_rejected)


def _outcome(value: Tensor, margin: Tensor) -> Outcome:
    held = margin.detach()
    return Outcome(value, {"margin": held.mean(), "accuracy": (held > 0).float().mean()})

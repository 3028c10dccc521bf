"""Length-normalised policy gradient on stored responses (Nath et al., 2024), held near a frozen reference.

    L = likelihood CE + (1 - likelihood) mean_i 1/T_i sum_t (kl_weight d_t^2 / 2 - A_i d_t),  d_t = log pi(y_t) - log ref(y_t)

A_i is a reward minus the mean of its prompt; `log ref` in the first term moves no gradient. Responses are nobody's samples, so
the mean log-ratio is no KL here: its gradient would be that of likelihood, and pull one way only. Half its square ("k2",
Schulman, 2020) has KL's gradient where the policy itself speaks, equals KL to second order where the reference does, and draws
back from either side wherever. The exact KL would need the reference's whole vocabulary at every token.

A bad response can be made ever less likely at a gain without end. Two things end it: the square, which lets a token go to
d = A / kl_weight by itself, and `clip`, beyond which a token that went the right way is pushed no further (as in Schulman et
al., 2017, eq. 7, with the reference as the old policy), whatever the weights.
"""

from math import isfinite

import torch

from rlhf_train.errors import TrainingError
from rlhf_train.objectives.outcome import Outcome


def loss(
    token_logps,
    ref_token_logps,
    owners,
    advantages,
    *,
    likelihood: float = 0.35,
    kl_weight: float = 0.2,
    clip: float = 1.0,
) -> Outcome:
    """Mean over responses of the means over their tokens, end token included; `owners` [M] says whose of [S] a token [M] is.

    `likelihood` is a share; `kl_weight` is in units of the reward a nat; `clip` is in nats a token.
    """
    _refuse(likelihood, kl_weight, clip)
    sizes = torch.bincount(owners, minlength=len(advantages))
    weights = 1 / (sizes[owners] * len(advantages)).to(token_logps.dtype)
    moved, gains = token_logps - ref_token_logps, advantages[owners]
    free, held = gains * moved, gains * moved.clamp(-clip, clip)
    policy_loss = -(torch.minimum(free, held) * weights).sum()
    drift = (moved.square() * weights).sum() / 2
    unlikely = -(token_logps * weights).sum()
    metrics = {"policy_loss": policy_loss, "drift": drift, "nll": unlikely, "clipped": ((held < free) * weights).sum()}
    value = likelihood * unlikely + (1 - likelihood) * (policy_loss + kl_weight * drift)
    return Outcome(value, {name: part.detach() for name, part in metrics.items()})


def _refuse(likelihood: float, kl_weight: float, clip: float) -> None:
    if not 0 <= likelihood <= 1:
        raise TrainingError(f"likelihood is the share of cross-entropy in the loss and must lie in [0, 1], got {likelihood:g}")
    if not (isfinite(kl_weight) and kl_weight >= 0):
        raise TrainingError(f"kl_weight must be a finite number, 0 or more, got {kl_weight:g}; below 0 the policy would flee")
    if not clip > 0:
        raise TrainingError(f"clip is in nats a token and must be above 0, got {clip:g}; nothing could be learned")

"""Advantage-Leftover-Lunch: off-policy gradients of a whole response as one action (Baheti et al., 2024), and its kin.

    L = mean_i -A+_i [rho_i] log pi(y_i),  A+ = max(reward - value, 0),  rho = pi / ref held to [1 - ratio_clip, 1 + ratio_clip]

What stands in brackets moves no gradient: a ratio that is held still scales its response's gradient, and never stops it as
PPO's does. log pi is a sum over tokens, end token included. Shapes: token_logps, ref_token_logps and owners (whose of the S
responses a token is) [M], rewards and values [S].
"""

from math import inf

import torch

from rlhf_train.errors import TrainingError
from rlhf_train.logps import summed
from rlhf_train.objectives import weighted
from rlhf_train.objectives.outcome import Outcome

Tensor = torch.Tensor

FARTHEST = 60.0  # nats of a log-ratio whose exponent single precision holds, and a sum of such


def loss(token_logps, ref_token_logps, owners, rewards, values, *, ratio_clip: float = 0.9, clipped: bool = True) -> Outcome:
    """A ratio a response. `clipped=False` is the one way to leave the ratio as it is: ratio_clip is a number above 0."""
    gains = _positive(rewards - values)
    return _by_response(token_logps, ref_token_logps, owners, gains, ratio_clip, clipped)


def by_token(
    token_logps, ref_token_logps, owners, rewards, values, *, ratio_clip: float = 0.9, clipped: bool = True
) -> Outcome:
    """A-LoL sequence: mean_i -A+_i sum_t [rho_it] log pi(y_it), a ratio a token, each held for itself."""
    gains = _positive(rewards - values)
    ratios, outside = _held(token_logps - ref_token_logps, ratio_clip, clipped)
    return _by_token(token_logps, owners, gains, ratios, outside=_mean(outside, owners, len(gains)))


def reference_free(token_logps, owners, rewards, values, *, clamp: bool = True) -> Outcome:
    """mean_i -A+_i log pi(y_i). With `clamp=False` -A_i, as published code has it: rows of A < 0 are made ever less likely."""
    gains = rewards - values
    return _told(weighted.loss(token_logps, owners, _positive(gains) if clamp else gains), gains)


def kl(token_logps, ref_token_logps, owners, rewards, values, *, kl_weight: float = 0.2) -> Outcome:
    """mean_i -A+_i log pi(y_i) + kl_weight (log pi(y_i) - log ref(y_i)): no anchor, whatever its name.

    The reference moves no gradient: this is the reference-free form with A+ - kl_weight, and makes every response of a smaller
    advantage ever less likely.
    """
    if not 0 <= kl_weight < inf:
        raise TrainingError(f"kl_weight must be a finite number, 0 or more, got {kl_weight:g}")
    gains = _positive(rewards - values)
    outcome = weighted.loss(token_logps, owners, gains)
    drift = summed(token_logps - ref_token_logps, owners, len(gains)).mean()
    return _told(Outcome(outcome.loss + kl_weight * drift, outcome.metrics), gains, log_ratio=drift.detach())


def r_lol(token_logps, ref_token_logps, owners, rewards, *, ratio_clip: float = 0.9, clipped: bool = True) -> Outcome:
    """Reward-LoL: mean_i -R_i [rho_i] log pi(y_i), the reward in the advantage's place."""
    return _by_response(token_logps, ref_token_logps, owners, rewards, ratio_clip, clipped)


def behaviour_cloning(token_logps, owners, rewards) -> Outcome:
    """Weighted behaviour cloning: mean_i -R_i log pi(y_i)."""
    return _told(weighted.loss(token_logps, owners, rewards), rewards)


def r_gold(token_logps, owners, rewards, *, floor: float = 0.1) -> Outcome:
    """Reward-GOLD (after Pang and He, 2021): mean_i -R_i sum_t max([pi(y_it)], floor) log pi(y_it); no reference."""
    if not 0 <= floor < 1:
        raise TrainingError(f"floor is the least weight of a token, a probability in [0, 1), got {floor:g}")
    chances = token_logps.detach().exp()
    floored = _mean((chances < floor).to(chances.dtype), owners, len(rewards))
    return _by_token(token_logps, owners, rewards, chances.clamp(min=floor), floored=floored)


def _by_response(
    token_logps: Tensor, ref_token_logps: Tensor, owners: Tensor, gains: Tensor, ratio_clip: float, clipped: bool
) -> Outcome:
    ratios, outside = _held(summed(token_logps - ref_token_logps, owners, len(gains)), ratio_clip, clipped)
    return _told(weighted.loss(token_logps, owners, gains * ratios), gains, outside=outside.mean())


def _by_token(token_logps: Tensor, owners: Tensor, gains: Tensor, weights: Tensor, **told: Tensor) -> Outcome:
    """mean_i -gain_i sum_t weight_it log pi(y_it)."""
    value = -(gains[owners] * weights * token_logps).sum() / len(gains)
    unlikely = _mean(-token_logps.detach(), owners, len(gains))
    return _told(Outcome(value, {"nll": unlikely, "weight": gains.mean()}), gains, **told)


def _held(gaps: Tensor, ratio_clip: float, clipped: bool) -> tuple[Tensor, Tensor]:
    """The ratios of log-ratios, without a gradient, and which of them lie outside of what `ratio_clip` allows."""
    if not 0 < ratio_clip < inf:
        raise TrainingError(
            f"ratio_clip is how far a ratio may lie from 1, above 0, got {ratio_clip:g}; clipped=False leaves it free"
        )
    ratios = gaps.detach().clamp(max=FARTHEST).exp()
    held = ratios.clamp(1 - ratio_clip, 1 + ratio_clip)
    return held if clipped else ratios, (held != ratios).to(ratios.dtype)


def _positive(gains: Tensor) -> Tensor:
    return gains.clamp(min=0)


def _mean(values: Tensor, owners: Tensor, count: int) -> Tensor:
    """The mean over responses of the means over their tokens."""
    return (summed(values, owners, count) / torch.bincount(owners, minlength=count)).mean()


def _told(outcome: Outcome, gains: Tensor, **told: Tensor) -> Outcome:
    learned = (gains > 0).to(gains.dtype).mean()
    return Outcome(outcome.loss, {**outcome.metrics, "gain": gains.mean(), "learned": learned, **told})

"""Credit: from rewards of responses, or of segments of them, to advantages of their tokens.

Tensors are [S, T], the mask true where a token is.
"""

from math import inf
from typing import Literal

import torch

Tensor = torch.Tensor
Spread = Literal["even", "end", "repeat"]
Total = Literal["sum", "mean", "gain"]


def suffix_sums(values: Tensor, discount: float) -> Tensor:
    """out[t] = values[t] + discount out[t + 1]: a product with a triangle of powers, so that gradients pass at once."""
    steps = torch.arange(values.shape[1], device=values.device)
    ahead = (steps[:, None] - steps[None]).to(values.dtype)  # how far a later row lies ahead of a column
    return values @ torch.where(ahead >= 0, torch.full_like(ahead, discount) ** ahead.clamp(min=0), 0.0)


def padded(values: Tensor, owners: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Values [M] of `count` responses, whose owners ascend, as rows [S, T], zeros behind, and their mask; back: rows[mask]."""
    sizes = torch.bincount(owners, minlength=count)
    mask = torch.arange(int(sizes.max()) if count else 0, device=values.device) < sizes[:, None]
    return torch.zeros(mask.shape, dtype=values.dtype, device=values.device).masked_scatter(mask, values), mask


def totalled(rewards: Tensor, owners: Tensor, *, total: Total = "sum") -> Tensor:
    """[K] rewards of segments, so that those of a response add up to their sum as they are, or to their mean; owners ascend.

    "mean" divides each by how many there are. But then what ends a response takes nothing back of what its segments got, and
    one more that is only above 0 still pays. A "gain" is by how much a segment raises the mean of those so far: to go on pays
    if the mean rises (rewards that are differences of a potential: Ng et al., 1999).
    """
    if total == "sum":
        return rewards
    counts = torch.bincount(owners)
    if total == "mean":
        return rewards / counts[owners]
    first = counts.cumsum(0) - counts
    sums = rewards.cumsum(0)
    ranks = torch.arange(len(rewards), device=rewards.device) - first[owners] + 1
    means = (sums - (sums - rewards)[first][owners]) / ranks
    return means - torch.where(ranks > 1, means.roll(1), 0.0)


def spread(rewards: Tensor, ends: Tensor, owners: Tensor, *, mode: Spread = "even", clip: float = inf) -> Tensor:
    """[M] rewards of tokens, of rewards [K] of segments; `ends` [M] says where these end, and owners [M] ascend.

    "even" deals a segment's reward out among its tokens, "end" leaves it at the last of them, "repeat" gives each of them all
    of it, and so the segment its length times as much. What comes after a response's last segment gets 0; none beyond +-clip.
    """
    if not len(rewards):
        return rewards.new_zeros(len(ends))
    last = ends.nonzero()[:, 0]
    own = (ends.cumsum(0) - ends.long()).clamp(max=len(last) - 1)  # the segment of a token, if it has one
    inside = owners[last[own]] == owners
    inside &= torch.arange(len(ends), device=ends.device) <= last[own]
    shares = {
        "even": 1 / torch.bincount(own[inside], minlength=len(last)).to(rewards.dtype),
        "end": torch.ones_like(rewards),
        "repeat": torch.ones_like(rewards),
    }[mode]
    counted = ends if mode == "end" else inside
    return ((rewards * shares)[own] * counted).clamp(-clip, clip)


def token_rewards(rewards: Tensor, logps: Tensor, ref_logps: Tensor, mask: Tensor, *, kl_weight: float = 0.05) -> Tensor:
    """Rewards [S, T], less kl_weight (logp - ref_logp) at every token (Ziegler et al., 2019, eq. 2)."""
    return rewards - kl_weight * (logps - ref_logps) * mask


def advantages(rewards: Tensor, values: Tensor, mask: Tensor, *, gamma: float = 1.0, lam: float = 0.95) -> Tensor:
    """Generalised advantage estimates (Schulman et al., 2016, eq. 16); nothing is worth anything after the last token."""
    values = values * mask
    following = torch.cat([values[:, 1:], torch.zeros_like(values[:, :1])], dim=1)
    errors = (rewards + gamma * following - values) * mask
    return suffix_sums(errors, gamma * lam) * mask


def whiten(values: Tensor, mask: Tensor) -> Tensor:
    """Mean 0 and deviation 1 where the mask is true, 0 elsewhere."""
    held = values[mask]
    return (values - held.mean()) / (held.std(correction=0) + 1e-8) * mask

"""Credit: from one score a response to advantages of its tokens. Tensors are [S, T], the mask true where a token is."""

import torch

Tensor = torch.Tensor


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


def token_rewards(scores: Tensor, logps: Tensor, ref_logps: Tensor, mask: Tensor, *, kl_weight: float = 0.05) -> Tensor:
    """-kl_weight (logp - ref_logp) at every token, and the score [S] at the last one (Ziegler et al., 2019, eq. 2)."""
    rewards = -kl_weight * (logps - ref_logps) * mask
    last = mask.sum(1) - 1
    rewards[torch.arange(len(rewards)), last] += scores
    return rewards


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

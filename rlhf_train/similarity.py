"""Cosine similarity of states, safe for a state of zeros (it is like nothing: 0) and for one of any size."""

import torch

Tensor = torch.Tensor


def unit(states: Tensor) -> Tensor:
    """States [..., D] brought to length 1; one of zeros stays so, and its gradient is finite."""
    largest = states.detach().abs().amax(-1, keepdim=True)
    scaled = states / torch.where(largest > 0, largest, torch.ones_like(largest))  # a square would overflow, or vanish
    return scaled / scaled.norm(dim=-1, keepdim=True).clamp(min=0.5)  # at least 1 but for zeros


def cosine(states: Tensor, others: Tensor) -> Tensor:
    """[..., S, R] between states [..., S, D] and others [..., R, D]."""
    return unit(states) @ unit(others).transpose(-1, -2)

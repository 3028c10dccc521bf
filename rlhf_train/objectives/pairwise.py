"""The pairwise logistic loss (Bradley and Terry, 1952), with labels that may be wrong (Mitchell, 2023)."""

import torch
from torch.nn.functional import logsigmoid


def logistic(gap: torch.Tensor, *, smoothing: float = 0.0) -> torch.Tensor:
    """-(1 - s) log sigmoid(gap) - s log sigmoid(-gap), each of its own; a label is wrong with probability s = `smoothing`."""
    return -(1 - smoothing) * logsigmoid(gap) - smoothing * logsigmoid(-gap)

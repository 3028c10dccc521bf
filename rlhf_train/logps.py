"""Log-probabilities of tokens and of whole responses."""

import torch
from torch.nn.functional import cross_entropy

from rlhf_train.text import IGNORED


def token_logps(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """[B, T-1] log p(labels[t+1] | labels[..t]), 0 where the label is ignored; logits [B, T, V], labels [B, T]."""
    wanted = labels[:, 1:]
    return -cross_entropy(logits[:, :-1].transpose(1, 2).float(), wanted, ignore_index=IGNORED, reduction="none")


def masked_mean(values: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Mean of `values` where `mask` is true; 0 where it is true nowhere."""
    return (values * mask).sum() / mask.sum().clamp(min=1)

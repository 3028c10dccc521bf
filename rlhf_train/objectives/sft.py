"""Supervised fine-tuning: mean negative log-likelihood of response tokens."""

import torch

from rlhf_train.logps import masked_mean
from rlhf_train.objectives.outcome import Outcome


def loss(token_logps: torch.Tensor, response_mask: torch.Tensor) -> Outcome:
    """-mean log p over response tokens; both inputs are [B, T], the mask true where a token counts."""
    value = -masked_mean(token_logps, response_mask)
    return Outcome(value, {"perplexity": value.detach().exp()})

"""Forward passes: (model, batch) -> the tensors that a loss names."""

import torch

from rlhf_train.logps import token_logps
from rlhf_train.text import IGNORED

Batch = dict[str, torch.Tensor]


def response_logps(model: torch.nn.Module, batch: Batch) -> Batch:
    """token_logps and response_mask [B, T-1] of a causal model; batch: input_ids, attention_mask, labels [B, T]."""
    logits = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits
    return {"token_logps": token_logps(logits, batch["labels"]), "response_mask": batch["labels"][:, 1:] != IGNORED}


def pair_rewards(model: torch.nn.Module, batch: Batch) -> Batch:
    """chosen_rewards and rejected_rewards [B]; batch: input_ids, attention_mask [2B, T], the chosen responses first."""
    rewards = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits[:, 0].float()
    chosen, rejected = rewards.chunk(2)
    return {"chosen_rewards": chosen, "rejected_rewards": rejected}

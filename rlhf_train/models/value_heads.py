"""What a reference gets for a prompt in the mean: a bounded value of its hidden states, which stay as they are."""

from typing import Any

import torch
from torch.nn.utils.rnn import pad_sequence

from rlhf_train.inputs import Batch, hidden_states, plain


class PromptValue(torch.nn.Module):
    """most * sigmoid(Linear(Dropout(Attention(query, states)))) of a prompt's states, the query learned (Baheti et al., 2024).

    Of `heads` as many as divide the width; untrained, it says most / 2. What all prompts' states have in common may be taken
    away first, so that it learns in few steps: it could be learned by the attention, and makes no other head of this one.
    """

    centre: torch.Tensor
    deviation: torch.Tensor

    def __init__(self, width: int, *, most: float = 1.0, heads: int = 8, dropout: float = 0.1) -> None:
        super().__init__()
        self.most = most
        count = max(each for each in range(1, heads + 1) if width % each == 0)
        self.query = torch.nn.Parameter(torch.randn(width) / width**0.5)
        self.attention = torch.nn.MultiheadAttention(width, count, dropout=dropout, batch_first=True)
        self.dropout = torch.nn.Dropout(dropout)
        self.out = torch.nn.Linear(width, 1)
        torch.nn.init.zeros_(self.out.weight)
        torch.nn.init.zeros_(self.out.bias)
        self.register_buffer("centre", torch.zeros(width))
        self.register_buffer("deviation", torch.ones(width))

    def forward(self, states: torch.Tensor, sizes: list[int]) -> torch.Tensor:
        """[P] of states [N, D] of prompts end to end, of so many tokens each; a prompt's own are all that is attended to."""
        read = (states.to(self.query.dtype) - self.centre) / self.deviation
        parts = pad_sequence(read.split(sizes), batch_first=True)
        lengths = torch.tensor(sizes, device=states.device)
        beyond = torch.arange(parts.shape[1], device=states.device) >= lengths[:, None]
        asked = self.query.expand(len(sizes), 1, -1)
        pooled, _ = self.attention(asked, parts, parts, key_padding_mask=beyond, need_weights=False)
        return self.most * self.out(self.dropout(pooled[:, 0]))[:, 0].sigmoid()


class WithPromptValue(torch.nn.Module):
    """A policy with a head on its hidden states: the head alone learns, while the policy is as it is used."""

    def __init__(self, policy: Any, head: PromptValue) -> None:
        super().__init__()
        self.policy, self.head = policy, head

    @property
    def config(self) -> Any:
        """The policy's."""
        return self.policy.config

    def get_base_model(self) -> Any:
        """The policy without adapters, as peft's models have it."""
        return plain(self.policy)

    def train(self, mode: bool = True) -> "WithPromptValue":
        """Lets the head learn, dropout and all; the policy never does."""
        super().train(mode)
        self.policy.eval()
        return self

    @torch.no_grad()
    def states(self, batch: Batch) -> torch.Tensor:
        """[N, D] of a batch of prompts without responses."""
        return hidden_states(self.policy, batch).float()

    def values(self, batch: Batch) -> torch.Tensor:
        """[P] of a batch of prompts without responses."""
        return self.head(self.states(batch), [tree[0] for tree in batch["layout"].trees])

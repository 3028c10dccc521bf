"""A policy with a value head: what its critic expects of every token."""

from typing import Any

import torch


class WithValues(torch.nn.Module):
    """`policy` and a linear head on its hidden states; untrained, it expects 0 everywhere."""

    def __init__(self, policy: Any) -> None:
        super().__init__()
        self.policy = policy
        width = policy.get_output_embeddings().weight.shape[1]
        self.head = torch.nn.Linear(width, 1, device=policy.device)
        torch.nn.init.zeros_(self.head.weight)
        torch.nn.init.zeros_(self.head.bias)

    @property
    def config(self) -> Any:
        """The policy's."""
        return self.policy.config

    def get_base_model(self) -> Any:
        """The policy without adapters, as peft's models have it."""
        inner = self.policy
        return inner.get_base_model() if hasattr(inner, "get_base_model") else inner

    def value(self, hidden: torch.Tensor) -> torch.Tensor:
        """[M] of hidden states [M, D]."""
        return self.head(hidden.to(self.head.weight.dtype))[:, 0].float()

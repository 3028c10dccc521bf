"""Heads on hidden states: a scalar of pooled states, and a policy's value head, what its critic expects of every token."""

from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import torch
from torch.nn.functional import silu

from rlhf_train.errors import TrainingError
from rlhf_train.inputs import plain

Pooler = Literal["identity", "bert", "t5", "swiglu_bert", "swiglu_t5"]
Head = Literal["linear", "mlp"]
SPREAD = 0.02  # deviation of new weights
LAYERS = ("score", "classifier", "head")  # what transformers and we call a layer that begins untaught
WIDER = 8 / 3  # inner width of a gated pooler, as of a gated feed-forward layer


class ScalarHead(torch.nn.Module):
    """[M] of states [M, D]: a linear map of them as they are ("identity"), or of tanh(W x) ("bert", with dropout first "t5").

    The gated poolers are tanh(W (silu(G x) * U x)) (Shazeer, 2020). Weights begin as N(0, SPREAD).
    """

    def __init__(self, width: int, *, pooler: Pooler = "identity", bias: bool = False, dropout: float = 0.0) -> None:
        super().__init__()
        self.dropout = torch.nn.Dropout(dropout if pooler.endswith("t5") else 0.0)
        gated = pooler.startswith("swiglu")
        inner = int(width * WIDER)
        self.gate = torch.nn.Linear(width, 2 * inner, bias=False) if gated else None
        self.dense = None if pooler == "identity" else torch.nn.Linear(inner if gated else width, width)
        self.out = torch.nn.Linear(width, 1, bias=bias)
        for name, weights in self.named_parameters():
            torch.nn.init.zeros_(weights) if name.endswith("bias") else torch.nn.init.normal_(weights, std=SPREAD)

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        """A number a state, in single precision at least."""
        states = self.dropout(states.to(self.out.weight.dtype))
        if self.gate is not None:
            gate, up = self.gate(states).chunk(2, dim=-1)
            states = silu(gate) * up
        if self.dense is not None:
            states = self.dense(states).tanh()
        found = self.out(states)[..., 0]
        return found.to(torch.promote_types(found.dtype, torch.float32))


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


def added(model: torch.nn.Module) -> list[torch.nn.Parameter]:
    """The weights of heads that training adds to a body: of scalar and value heads, and of a scored model's last layer."""
    heads = [
        module for name, module in model.named_modules() if name.rpartition(".")[2] in LAYERS or isinstance(module, ScalarHead)
    ]
    return [weights for head in heads for weights in head.parameters()]


def scoring(model: Any, *, head: Head = "linear") -> Any:
    """The model with the `score` that it has, a linear map unless it was saved with another, or with a new perceptron."""
    whole = plain(model)
    if head == "mlp" and getattr(whole.config, "reward_head", "linear") != "mlp":
        _put_perceptron(whole)
    return model


def restore(model: Any, folder: Path) -> None:
    """Puts back a perceptron that a model was saved with: transformers knows a linear `score` only, and has made a new one."""
    if getattr(model.config, "reward_head", "linear") != "mlp":
        return
    from safetensors.torch import load_file

    saved = {name: value for file in folder.glob("*.safetensors") for name, value in load_file(file).items()}
    held = {name.removeprefix("score."): value for name, value in saved.items() if name.startswith("score.")}
    if not held:
        raise TrainingError(f"{folder}: no weights of its reward head; name the folder that the model was saved in")
    _put_perceptron(model)
    model.score.load_state_dict(held)


def perceptron(width: int) -> torch.nn.Sequential:
    """D to D / 2 to D / 2 to D to 1 by ReLU: its reward is less of a copy of what the states say (Nath et al., 2024)."""
    sizes = (width, max(width // 2, 1), max(width // 2, 1), width)
    inner = [part for first, last in pairwise(sizes) for part in (torch.nn.Linear(first, last), torch.nn.ReLU())]
    out = torch.nn.Linear(width, 1, bias=False)
    torch.nn.init.normal_(out.weight, std=1 / (width + 1))
    return torch.nn.Sequential(*inner, out)


def _put_perceptron(model: Any) -> None:
    weights = next(model.parameters())
    model.score = perceptron(model.config.hidden_size).to(weights.device, weights.dtype)
    model.config.reward_head = "mlp"

"""Policies that read a window of letters at once: two layers over the embeddings of all places, one after another.

They have no attention, so that what stands where is all that they go by, and what they learned of one prompt says little of
another. They stand where the world of letters has GPTs; layouts of packed trees and caches are read as any policy's.
"""

from collections.abc import Sequence
from typing import Any

import torch
from transformers import PretrainedConfig, PreTrainedModel
from transformers.modeling_outputs import BaseModelOutput, CausalLMOutput

from rlhf_train.models import letters as of_letters
from rlhf_train.models.policies import Policy
from rlhf_train.packing import Layout
from rlhf_train.text import Lengths

EMBEDDED = 16
NEVER = -20.0  # the oracle's bias of padding and of an early end


class WindowConfig(PretrainedConfig):
    """Of `places` letters of a vocabulary, and so many units a layer."""

    model_type = "letters_window"

    def __init__(self, places: int = 12, width: int = 48, vocab_size: int = 7, **others: Any) -> None:
        super().__init__(**others)
        self.places, self.width, self.vocab_size, self.num_hidden_layers = places, width, vocab_size, 1


class _Window(PreTrainedModel):
    config_class = WindowConfig

    def _init_weights(self, module: Any) -> None:
        """As torch leaves them."""


class WindowBody(_Window):
    """[B, T] letters -> [B, T, width], each from itself and those before it."""

    def __init__(self, config: WindowConfig) -> None:
        super().__init__(config)
        self.letters = torch.nn.Embedding(config.vocab_size + 1, EMBEDDED)  # the last one where no letter stands yet
        self.first = torch.nn.Linear(config.places * EMBEDDED, config.width)
        self.second = torch.nn.Linear(config.width, config.width)

    def forward(
        self,
        input_ids: torch.Tensor,
        position_ids: torch.Tensor | None = None,
        layout: Layout | None = None,
        past_key_values: Any = None,
        **_: Any,
    ) -> BaseModelOutput:
        """Of a packed row by its `layout`, or of rows of like length that go on where the cache ends."""
        windows = self._laid_out(input_ids, position_ids, layout) if layout else self._going_on(input_ids, past_key_values)
        read = self.letters(windows).flatten(-2)
        return BaseModelOutput(self.second(self.first(read).tanh()).tanh())

    def _laid_out(self, ids: torch.Tensor, positions: torch.Tensor, layout: Layout) -> torch.Tensor:
        parents, start = [], 0
        for prompt, *responses in layout.trees:
            parents += [max(start + at - 1, start) for at in range(prompt)]
            place = start + prompt
            for size in responses:
                parents += [start + prompt - 1, *range(place, place + size - 1)][:size]
                place += size
            start = place
        before, own = torch.tensor(parents, device=ids.device), positions[0]
        windows = torch.full((len(own), self.config.places), self.config.vocab_size, device=ids.device)
        rows = at = torch.arange(len(own), device=ids.device)
        for back in range(self.config.places):
            there = own >= back
            windows[rows[there], (own - back)[there]] = ids[0, at[there]]
            at = before[at]
        return windows[None]

    def _going_on(self, ids: torch.Tensor, cache: Any) -> torch.Tensor:
        held = ids[:, None, :, None].float()
        seen = held if cache is None else cache.update(held, held, 0)[0]
        seen = seen[:, 0, :, 0].long()
        begun = seen.shape[1] - ids.shape[1]
        windows = ids.new_full((*ids.shape, self.config.places), self.config.vocab_size)
        for at in range(ids.shape[1]):
            windows[:, at, : begun + at + 1] = seen[:, : begun + at + 1]
        return windows


class WindowPolicy(_Window):
    """The body and its head, as a causal language model of transformers."""

    base_model_prefix = "body"

    def __init__(self, config: WindowConfig) -> None:
        super().__init__(config)
        self.body = WindowBody(config)
        self.head = torch.nn.Linear(config.width, config.vocab_size)

    def get_output_embeddings(self) -> torch.nn.Module:
        return self.head

    def forward(self, input_ids: torch.Tensor, **seen: Any) -> CausalLMOutput:
        """Logits of what follows each letter."""
        return CausalLMOutput(logits=self.head(self.body(input_ids, **seen).last_hidden_state))


def made(
    seed: int,
    *,
    letters: Sequence[str],
    width: int,
    lengths: Lengths,
    spread: float | None = None,
    sharpness: float = 1.5,
    **_: Any,
) -> Policy:
    """As letters.made, of two layers whatever is asked. One with a `spread` says as many letters as it may."""
    tokenizer = of_letters.made(0, letters=letters, width=2).tokenizer
    torch.manual_seed(seed)
    places = lengths.prompt + lengths.response
    model = WindowPolicy(WindowConfig(places=places, width=width, vocab_size=len(tokenizer)))
    if spread is not None:
        _scatter(model, spread, sharpness)
    return Policy(model, tokenizer, lengths)


@torch.no_grad()
def _scatter(model: WindowPolicy, spread: float, sharpness: float) -> None:
    for weights in model.parameters():
        torch.nn.init.zeros_(weights)
        if weights.ndim > 1:
            torch.nn.init.normal_(weights, std=spread / weights.shape[1] ** 0.5)
    torch.nn.init.normal_(model.body.letters.weight, std=spread)
    model.head.weight.mul_(sharpness)
    model.head.bias[:2] = NEVER

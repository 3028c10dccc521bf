"""Reward models: a causal model or an encoder (MiniLM by default) with one scalar head; lower layers may stay fixed."""

import copy
import dataclasses
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from rlhf_train import batches
from rlhf_train.attention import enable
from rlhf_train.errors import TrainingError
from rlhf_train.inputs import mean_states, plain, sequence_rewards
from rlhf_train.models import heads
from rlhf_train.models.policies import prepare
from rlhf_train.numbers import given_to
from rlhf_train.objectives import OBJECTIVES
from rlhf_train.text import Lengths, Tokenizer
from rlhf_train.train import fit

Read = Callable[[Any, dict[str, Any]], torch.Tensor]  # (model, batch) -> a row a response

LENGTHS = Lengths(prompt=40, response=88)
FILE = "lengths.json"


@dataclass(frozen=True, slots=True)
class RewardModel:
    """A body with a scalar head, its tokenizer, and how much of a text it reads."""

    model: Any
    tokenizer: Tokenizer
    lengths: Lengths = LENGTHS

    def pairs(self, columns: batches.Columns) -> batches.Rows:
        """`prompt`, `chosen`, `rejected` as rows that it learns from."""
        form = batches.pairs if is_causal(self.model) else batches.encoded_pairs
        return form(columns, self.tokenizer, self.lengths)

    def rewards(self, prompts: Sequence[str], responses: Sequence[str], *, tokens: int = 2 * batches.TOKENS) -> np.ndarray:
        """[N] float32, higher is better, in batches of at most `tokens` tokens."""
        return self._read(sequence_rewards, (), prompts, responses, tokens)

    def features(self, prompts: Sequence[str], responses: Sequence[str], *, tokens: int = 2 * batches.TOKENS) -> np.ndarray:
        """[N, D] float32: the body's hidden states, averaged over the response (by an encoder, over all that it reads)."""
        return self._read(mean_states, (self.model.config.hidden_size,), prompts, responses, tokens)

    def _read(
        self, read: Read, shape: tuple[int, ...], prompts: Sequence[str], responses: Sequence[str], tokens: int
    ) -> np.ndarray:
        return read_rows(self.model, self.rows(prompts, responses), read, shape=shape, tokens=tokens)

    def reads(
        self, read: Read, prompts: Sequence[str], responses: Sequence[str], *, tokens: int = 2 * batches.TOKENS
    ) -> Iterator[tuple[batches.Batch, np.ndarray]]:
        """Batches of the responses, the longest first, and float32 arrays of what is read of each."""
        return reads(self.model, self.rows(prompts, responses), read, tokens=tokens)

    def rows(self, prompts: Sequence[str], responses: Sequence[str]) -> batches.Rows:
        """`prompts` and `responses` as rows that it reads, cut to its lengths."""
        form = batches.responses if is_causal(self.model) else batches.encoded_responses
        return form({"prompt": prompts, "response": responses}, self.tokenizer, self.lengths)

    def save(self, folder: Path) -> Path:
        """Writes safetensors, configuration, tokenizer and lengths; returns the folder."""
        self.model.save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)
        (folder / FILE).write_text(json.dumps(dataclasses.asdict(self.lengths)))
        return folder


def read_rows(
    model: Any, rows: batches.Rows, read: Read, *, shape: tuple[int, ...] = (), tokens: int = 2 * batches.TOKENS
) -> np.ndarray:
    """[N, *shape] float32: what `read` makes of each row, in batches of at most `tokens` tokens."""
    found = np.zeros((len(rows), *shape), dtype=np.float32)
    for batch, values in reads(model, rows, read, tokens=tokens):
        found[batch.places] = values
    return found


def reads(
    model: Any, rows: batches.Rows, read: Read, *, tokens: int = 2 * batches.TOKENS
) -> Iterator[tuple[batches.Batch, np.ndarray]]:
    """Batches of the rows, the longest first, and float32 arrays of what is read of each."""
    fast = model.device.type == "cuda" or torch.cpu._is_amx_tile_supported()
    for batch in batches.in_order(rows, tokens=tokens) if len(rows) else []:
        with torch.inference_mode(), torch.autocast(model.device.type, dtype=torch.bfloat16, enabled=fast):
            values = read(model, batch.to(model.device))
        yield batch, values.float().cpu().numpy()


def load(path: str | Path, *, trained_layers: int | None = None, lengths: Lengths | None = None, seed: int = 0) -> RewardModel:
    """A reward model from a folder or hub name of any body; a head that is missing is made from `seed`.

    With `trained_layers` only that many of the top layers and the head learn. `lengths` are the saved ones unless given.
    """
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    torch.manual_seed(seed)
    model = AutoModelForSequenceClassification.from_pretrained(
        str(path), num_labels=1, use_safetensors=True, trust_remote_code=False
    )
    heads.restore(model, Path(path))
    prepare(model) if is_causal(model) else enable(model)
    if trained_layers is not None:
        _freeze_below(model, trained_layers)
    saved = Path(path) / FILE
    if lengths is None:
        lengths = Lengths(**json.loads(saved.read_text())) if saved.is_file() else LENGTHS
    return RewardModel(model.eval(), AutoTokenizer.from_pretrained(str(path), trust_remote_code=False), lengths)


def taught(
    body: RewardModel,
    columns: batches.Columns,
    *,
    objective: str = "bradley_terry",
    numbers: Mapping[str, Any] | None = None,
    steps: int | None = None,
    epochs: float = 1.0,
    size: int = 16,
    lr: float = 3e-4,
    seed: int = 0,
) -> RewardModel:
    """A copy of `body` after `steps` steps, or else `epochs`, of a scored objective on pairs; `body` stays as it was."""
    model, rows = dataclasses.replace(body, model=copy.deepcopy(body.model)), body.pairs(columns)
    if not len(rows):
        raise TrainingError("there are no pairs to learn from; give some, or deal them to fewer parts")
    steps = steps or max(round(epochs * len(rows) / size), 1)
    source, chosen = batches.shuffled(rows, size=size, seed=seed), OBJECTIVES[objective]
    if chosen.module is not None:
        torch.manual_seed(seed)
        model = dataclasses.replace(model, model=chosen.module(model.model, **given_to(chosen.module, numbers or {})))
    fit(model.model, chosen, source, steps=steps, lr=lr, seed=seed, numbers=numbers)
    return model


def is_causal(model: Any) -> bool:
    """Whether the body reads from left to right: transformers gives such a one its head as `score`."""
    return hasattr(plain(model), "score")


def _freeze_below(model: Any, layers: int) -> None:
    body = model.base_model
    body.requires_grad_(False)
    stack = max((part for part in body.modules() if isinstance(part, torch.nn.ModuleList)), key=len)
    for module in [*stack[max(len(stack) - layers, 0) :], *(getattr(body, name, None) for name in ("norm", "ln_f", "pooler"))]:
        if module is not None:
            module.requires_grad_(True)

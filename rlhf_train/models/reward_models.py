"""Reward models: a causal model or an encoder (MiniLM by default) with one scalar head; lower layers may stay fixed."""

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from rlhf_train import batches
from rlhf_train.attention import enable
from rlhf_train.inputs import plain, sequence_rewards
from rlhf_train.models.policies import prepare
from rlhf_train.text import Lengths, Tokenizer

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

    @torch.inference_mode()
    def rewards(self, prompts: Sequence[str], responses: Sequence[str], *, tokens: int = 2 * batches.TOKENS) -> np.ndarray:
        """[N] float32, higher is better, in batches of at most `tokens` tokens."""
        form = batches.responses if is_causal(self.model) else batches.encoded_responses
        rows = form({"prompt": prompts, "response": responses}, self.tokenizer, self.lengths)
        device, found = self.model.device, np.zeros(len(rows), dtype=np.float32)
        fast = device.type == "cuda" or torch.cpu._is_amx_tile_supported()
        for batch in batches.in_order(rows, tokens=tokens):
            with torch.autocast(device.type, dtype=torch.bfloat16, enabled=fast):
                found[batch.places] = sequence_rewards(self.model, batch.to(device)).float().cpu().numpy()
        return found

    def save(self, folder: Path) -> Path:
        """Writes safetensors, configuration, tokenizer and lengths; returns the folder."""
        self.model.save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)
        (folder / FILE).write_text(json.dumps(dataclasses.asdict(self.lengths)))
        return folder


def load(path: str | Path, *, trained_layers: int | None = None, lengths: Lengths | None = None, seed: int = 0) -> RewardModel:
    """A reward model from a folder or hub name of any body; a head that is missing is made from `seed`.

    With `trained_layers` only that many of the top layers and the head learn. `lengths` are the saved ones unless given.
    """
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    torch.manual_seed(seed)
    model = AutoModelForSequenceClassification.from_pretrained(
        str(path), num_labels=1, use_safetensors=True, trust_remote_code=False
    )
    prepare(model) if is_causal(model) else enable(model)
    if trained_layers is not None:
        _freeze_below(model, trained_layers)
    saved = Path(path) / FILE
    if lengths is None:
        lengths = Lengths(**json.loads(saved.read_text())) if saved.is_file() else LENGTHS
    return RewardModel(model.eval(), AutoTokenizer.from_pretrained(str(path), trust_remote_code=False), lengths)


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

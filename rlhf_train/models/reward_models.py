"""Reward models: an encoder body (MiniLM by default) with one scalar head; its lower layers may stay as they were."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from rlhf_train import batches
from rlhf_train.text import Lengths, Tokenizer, pair_ids

LENGTHS = Lengths(prompt=40, response=88)


@dataclass(frozen=True, slots=True)
class RewardModel:
    """An encoder with a scalar head and its tokenizer."""

    model: Any
    tokenizer: Tokenizer

    @torch.inference_mode()
    def rewards(self, prompts: Sequence[str], responses: Sequence[str], *, size: int = 64) -> np.ndarray:
        """[N] float32, higher is better."""
        rows = pair_ids(self.tokenizer, prompts, responses, LENGTHS)
        found = np.zeros(len(rows), dtype=np.float32)
        for places in batches.by_length([len(row) for row in rows], size):
            batch = batches.masked([rows[place] for place in places], self.tokenizer)
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=torch.cpu._is_amx_tile_supported()):
                found[places] = self.model(**batch).logits[:, 0].float().numpy()
        return found

    def save(self, folder: Path) -> Path:
        """Writes safetensors, configuration and tokenizer; returns the folder."""
        self.model.save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)
        return folder


def load(path: str | Path, *, trained_layers: int | None = None, seed: int = 0) -> RewardModel:
    """A reward model from an encoder folder or hub name; a head that is missing is made from `seed`.

    With `trained_layers` only that many of the top layers and the head learn.
    """
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    torch.manual_seed(seed)
    model = AutoModelForSequenceClassification.from_pretrained(
        str(path), num_labels=1, use_safetensors=True, trust_remote_code=False
    )
    if trained_layers is not None:
        _freeze_below(model, trained_layers)
    return RewardModel(model.eval(), AutoTokenizer.from_pretrained(str(path), trust_remote_code=False))


def _freeze_below(model: Any, layers: int) -> None:
    body = model.base_model
    body.requires_grad_(False)
    for module in [*body.encoder.layer[len(body.encoder.layer) - layers :], getattr(body, "pooler", None)]:
        if module is not None:
            module.requires_grad_(True)

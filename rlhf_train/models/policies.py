"""Policies: any causal language model of transformers, or a tiny Llama made and pre-trained on the spot."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from rlhf_train import batches
from rlhf_train.attention import enable
from rlhf_train.errors import TrainingError
from rlhf_train.objectives import OBJECTIVES
from rlhf_train.text import Lengths, Tokenizer, train_tokenizer
from rlhf_train.train import fit


@dataclass(frozen=True, slots=True)
class Policy:
    """A causal language model, the tokenizer it was trained with, and how much of a text it is shown."""

    model: Any
    tokenizer: Tokenizer
    lengths: Lengths = Lengths()

    def save(self, folder: Path) -> Path:
        """Writes safetensors, configuration and tokenizer; returns the folder."""
        self.model.save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)
        return folder


def load(path: str | Path) -> Policy:
    """A policy from a folder or a hub name; safetensors only. TrainingError for one without a language head of its own."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model, found = AutoModelForCausalLM.from_pretrained(
        str(path), use_safetensors=True, trust_remote_code=False, output_loading_info=True
    )
    head = model.get_output_embeddings()
    names = {f"{name}.weight" for name, part in model.named_modules() if part is head}
    if lacking := sorted(names & found["missing_keys"]) or sorted({"score.weight"} & found["unexpected_keys"]):
        raise TrainingError(
            f"{path}: is no language model, it has "
            + (f"a reward model's {lacking[0]}" if lacking == ["score.weight"] else f"no {lacking[0]}")
            + "; name a policy, such as the one that it began as"
        )
    prepare(model)
    return Policy(model.eval(), AutoTokenizer.from_pretrained(str(path), padding_side="left", trust_remote_code=False))


def make(
    texts: Sequence[str],
    *,
    vocabulary: int = 2048,
    width: int = 192,
    layers: int = 4,
    steps: int = 200,
    batch: int = 32,
    lr: float = 3e-3,
    seed: int = 0,
    watch: Callable[[int, int], None] = lambda step, steps: None,
) -> Policy:
    """A Llama (Touvron et al., 2023) of some two million weights, its tokenizer made from `texts` and pre-trained on them."""
    from transformers import LlamaConfig, LlamaForCausalLM

    tokenizer = train_tokenizer(texts, vocabulary=vocabulary)
    heads = max(count for count in range(1, max(width // 48, 1) + 1) if width % (2 * count) == 0)  # rotation needs even ones
    torch.manual_seed(seed)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=width,
            intermediate_size=int(width * 8 / 3),
            num_hidden_layers=layers,
            num_attention_heads=heads,
            num_key_value_heads=heads,
            max_position_embeddings=1024,
            tie_word_embeddings=True,
            pad_token_id=tokenizer.pad_token_id,
            eos_token_id=tokenizer.eos_token_id,
            bos_token_id=None,
        )
    )
    prepare(model)
    source = batches.shuffled(batches.blocks(texts, tokenizer), size=batch, seed=seed)
    fit(model, OBJECTIVES["sft"], source, steps=steps, lr=lr, seed=seed, watch=lambda done, of, _: watch(done, of))
    return Policy(model, tokenizer)


def prepare(model: Any) -> None:
    """Lets a model take packed rows, and takes its dropout away: log-probabilities are compared with a reference's."""
    enable(model)
    for part in model.modules():
        if isinstance(part, torch.nn.Dropout):
            part.p = 0.0
        if isinstance(getattr(part, "attention_dropout", None), float):
            part.attention_dropout = 0.0

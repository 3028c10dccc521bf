"""Tiny models for all tests of this folder: a pre-trained policy, untrained bodies of every kind, specs of seconds."""

from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

SENTENCES = [
    "The kettle sings.",
    "A red bicycle waits outside.",
    "Nobody reads the manual.",
    "Rain again, and no umbrella.",
]
BODIES = ("llama", "gpt2", "gpt_neox", "qwen2")
WORDS = 97  # tokens of an untrained body
COUNT = 60  # rows of a spec's table


@pytest.fixture(scope="session")
def tiny_policy(one_thread):
    from rlhf_train.models import policies

    texts = [f"\n\nHuman: say {at}\n\nAssistant: {sentence}" for at, sentence in enumerate(SENTENCES * 8)]
    return policies.make(texts, vocabulary=400, width=48, layers=2, steps=30, batch=8, seed=1)


@pytest.fixture(scope="session")
def body(one_thread) -> Callable[..., Any]:
    """`body(kind, scored=False)`: an untrained causal model, or with a scalar head; the weights are those of its seed."""
    import transformers

    from rlhf_train.models.policies import prepare

    sizes = {"hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 4, "max_position_embeddings": 128}
    marks = {"vocab_size": WORDS, "bos_token_id": None, "eos_token_id": 1, "pad_token_id": 0}
    configs = {
        "llama": lambda: transformers.LlamaConfig(**sizes, **marks, intermediate_size=40, num_key_value_heads=2),
        "gpt2": lambda: transformers.GPT2Config(n_embd=24, n_layer=2, n_head=4, n_positions=128, **marks),
        "gpt_neox": lambda: transformers.GPTNeoXConfig(**sizes, **marks, intermediate_size=40),
        "qwen2": lambda: transformers.Qwen2Config(**sizes, **marks, intermediate_size=40, num_key_value_heads=2),
    }

    def made(kind: str, *, scored: bool = False, seed: int = 0) -> Any:
        config = configs[kind]()
        config.num_labels = 1
        torch.manual_seed(seed)
        form = transformers.AutoModelForSequenceClassification if scored else transformers.AutoModelForCausalLM
        model = form.from_config(config)
        with torch.no_grad():  # far enough from zero that a wrong position or mask shows
            for weights in model.parameters():
                weights.mul_(4.0) if weights.ndim > 1 else None
        prepare(model)
        return model

    return made


def table(count=COUNT):
    pick = np.random.default_rng(0)
    nouns = ["tea", "bread", "chess", "rain", "the train", "a garden", "old maps", "wool"]
    asked = [f"\n\nHuman: tell me about {nouns[at % 8]} {at}\n\nAssistant:" for at in range(count)]
    good = [" The kettle sings." * int(pick.integers(1, 4)) + f" {at}" for at in range(count)]
    return pl.DataFrame({"prompt": asked, "chosen": good, "rejected": [f" Rain again, {at}." for at in range(count)]})


@pytest.fixture
def made(tiny_policy, tmp_path):
    """`made(**changes)`: a spec of seconds on files of this test."""
    tiny_policy.save(tmp_path / "policy")
    table().write_parquet(tmp_path / "pairs.parquet")

    def of(**changes):
        fields = {
            "objective": "dpo",
            "data": str(tmp_path / "pairs.parquet"),
            "model": str(tmp_path / "policy"),
            "out": str(tmp_path / "out"),
            "steps": 8,
            "batch": 8,
            "lr": 1e-3,
            "save_every": 3,
            "mixed_precision": "no",
            "threads": 1,
            "tokens": 150,
        }
        return {**fields, **changes}

    return of


def weights(folder):
    from safetensors.torch import load_file

    return load_file(folder / "model" / "model.safetensors")


def same(first, second):
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)

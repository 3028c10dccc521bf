"""Chains of looked-up digits "d1 y1 d2 y2 ..", y = (3 d + 1) mod 10: every step can be told right or wrong at once."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from rlhf_train import batches
from rlhf_train.models import policies
from rlhf_train.models.policies import Policy
from rlhf_train.objectives import OBJECTIVES
from rlhf_train.text import Lengths
from rlhf_train.train import fit

PROMPT, STEPS, LONGER = "EQ", 5, 8
LENGTHS = Lengths(4, 2 * LONGER + 1)


@dataclass(frozen=True, slots=True)
class Pairs:
    """Right chains, the same with one y wrong, and in which step [N]."""

    columns: dict[str, list[str]]
    wrong: np.ndarray


def right(digits: np.ndarray) -> np.ndarray:
    """[..., K, 2] of digits [..., K]: each with its y."""
    return np.stack([digits, (3 * digits + 1) % 10], axis=-1)


def text(chains: np.ndarray) -> list[str]:
    """A text a chain, of chains [N, K, 2]."""
    return [" ".join(map(str, chain.ravel())) for chain in chains]


def pairs(random: np.random.Generator, count: int, steps: int = STEPS) -> Pairs:
    """`count` pairs of chains of as many steps."""
    good = right(random.integers(0, 10, (count, steps)))
    wrong = random.integers(0, steps, count)
    bad = good.copy()
    spoil(random, bad, np.arange(steps) == wrong[:, None])
    return Pairs({"prompt": [PROMPT] * count, "chosen": text(good), "rejected": text(bad)}, wrong)


def spoil(random: np.random.Generator, chains: np.ndarray, hit: np.ndarray) -> None:
    """Puts another digit in place of y where `hit` [..., K] is true."""
    chains[..., 1] = np.where(hit, (chains[..., 1] + random.integers(1, 10, hit.shape)) % 10, chains[..., 1])


def answers(chains: np.ndarray) -> np.ndarray:
    """What each chain comes to: the last digit of the sum of its ys."""
    return chains[..., 1].sum(axis=-1) % 10


def backbone(chosen: list[str], seed: int, *, steps: int) -> Policy:
    """A Llama of two layers, 32 wide, that was trained on right chains."""
    from transformers import LlamaConfig, LlamaForCausalLM

    tokenizer = _tokenizer()
    torch.manual_seed(seed)
    sizes = {"hidden_size": 32, "intermediate_size": 85, "num_hidden_layers": 2, "max_position_embeddings": 64}
    heads = {"num_attention_heads": 2, "num_key_value_heads": 2}
    marks = {"pad_token_id": tokenizer.pad_token_id, "eos_token_id": tokenizer.eos_token_id, "bos_token_id": None}
    model = LlamaForCausalLM(LlamaConfig(vocab_size=len(tokenizer), tie_word_embeddings=True, **sizes, **heads, **marks))
    policies.prepare(model)
    rows = batches.responses({"prompt": [PROMPT] * len(chosen), "response": chosen}, tokenizer, LENGTHS)
    source = batches.shuffled(rows, size=64, seed=seed)
    fit(model, OBJECTIVES["sft"], source, steps=steps, lr=3e-3, seed=seed, mixed_precision="no")
    return Policy(model, tokenizer, LENGTHS)


def _tokenizer() -> Any:
    """A token a word: a digit, EQ, or the end."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    words = ["<pad>", "<end>", PROMPT, *map(str, range(10))]
    bare = Tokenizer(models.WordLevel({word: at for at, word in enumerate(words)}, unk_token=words[0]))
    bare.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(tokenizer_object=bare, pad_token=words[0], eos_token=words[1], padding_side="left")

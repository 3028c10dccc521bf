"""Policies over a few letters: so small a world that a law over all answers can be counted."""

import re
from collections.abc import Sequence
from typing import Any

import torch

from rlhf_train.models.policies import Policy, prepare
from rlhf_train.text import Lengths

LETTERS = "abcd"


def made(
    seed: int,
    *,
    letters: Sequence[str] = LETTERS,
    width: int = 32,
    layers: int = 1,
    lengths: Lengths = Lengths(1, 3),
    most: int = 16,
    spread: float | None = None,
    sharpness: float = 1.5,
) -> Policy:
    """An untrained GPT that reads `letters`, each a token, in texts of at most so many tokens.

    With a `spread` its weights are random with that deviation over the root of what they add up, and its law is a definite one,
    the more so by its `sharpness`: whoever imitates it has something to learn.
    """
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers
    from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

    words = {word: at for at, word in enumerate(["<pad>", "<end>", *letters])}
    bare = Tokenizer(models.WordLevel(words, unk_token="<pad>"))
    bare.pre_tokenizer = pre_tokenizers.Split(Regex("|".join([*map(re.escape, words), "."])), "isolated")
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=bare, pad_token="<pad>", eos_token="<end>", padding_side="left")
    torch.manual_seed(seed)
    sizes = {"n_embd": width, "n_layer": layers, "n_head": 2, "n_positions": most, "vocab_size": len(words)}
    marks = {"bos_token_id": None, "eos_token_id": 1, "pad_token_id": 0, "tie_word_embeddings": False}
    model = GPT2LMHeadModel(GPT2Config(**sizes, **marks))  # places are learned: one layer of rotations can't count to three
    if spread is not None:
        _scatter(model, spread, sharpness)
    prepare(model)
    return Policy(model, tokenizer, lengths)


@torch.no_grad()
def _scatter(model: Any, spread: float, sharpness: float) -> None:
    for weights in model.parameters():
        if weights.ndim > 1:
            torch.nn.init.normal_(weights, std=spread / weights.shape[0] ** 0.5)
    head = model.get_output_embeddings().weight
    head.mul_(sharpness)
    head[0] = 0.0  # nobody says the padding more than by chance

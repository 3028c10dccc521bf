"""Text to tokens and back: a prompt is cut on its left, a response on its right, and the loss sees responses only."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

IGNORED = -100  # label of a token that no loss counts
Tokenizer = Any  # a transformers fast tokenizer


@dataclass(frozen=True, slots=True)
class Lengths:
    """Most tokens of a prompt (its end is kept) and of a response (its beginning is kept)."""

    prompt: int = 64
    response: int = 96


def causal_ids(
    tokenizer: Tokenizer, prompts: Sequence[str], responses: Sequence[str], lengths: Lengths
) -> list[tuple[list[int], int]]:
    """(ids, where the response begins) of prompt + response + end token, for a causal model."""
    asked, said = (_ids(tokenizer, texts) for texts in (prompts, responses))
    end = [tokenizer.eos_token_id]
    heads = [ids[-lengths.prompt :] for ids in asked]
    return [(head + ids[: lengths.response] + end, len(head)) for head, ids in zip(heads, said, strict=True)]


def pair_ids(tokenizer: Tokenizer, prompts: Sequence[str], responses: Sequence[str], lengths: Lengths) -> list[list[int]]:
    """ids of [CLS] prompt [SEP] response [SEP], for an encoder."""
    first, last = [tokenizer.cls_token_id], [tokenizer.sep_token_id]
    asked, said = (_ids(tokenizer, texts) for texts in (prompts, responses))
    return [
        first + head[-lengths.prompt :] + last + ids[: lengths.response] + last for head, ids in zip(asked, said, strict=True)
    ]


def padded(rows: Sequence[Sequence[int]], fill: int, *, left: bool = False, multiple: int = 1) -> torch.Tensor:
    """[B, longest] long, the width rounded up to a `multiple`."""
    width = -(-max(map(len, rows)) // multiple) * multiple
    return torch.tensor(
        [[fill] * (width - len(row)) * left + list(row) + [fill] * (width - len(row)) * (not left) for row in rows]
    )


def train_tokenizer(texts: Iterable[str], *, vocabulary: int = 2048) -> Tokenizer:
    """A byte-level BPE tokenizer (Sennrich et al., 2016) made from `texts`; any text round-trips through it."""
    from tokenizers import Tokenizer as Bare
    from tokenizers import decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    bare = Bare(models.BPE())
    bare.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bare.decoder = decoders.ByteLevel()
    letters = pre_tokenizers.ByteLevel.alphabet()
    marks = ["<pad>", "<end>"]
    bare.train_from_iterator(
        texts,
        trainers.BpeTrainer(vocab_size=vocabulary, special_tokens=marks, initial_alphabet=letters, show_progress=False),
    )
    return PreTrainedTokenizerFast(tokenizer_object=bare, pad_token=marks[0], eos_token=marks[1], padding_side="left")


def _ids(tokenizer: Tokenizer, texts: Sequence[str]) -> list[list[int]]:
    return tokenizer(list(texts), add_special_tokens=False, return_attention_mask=False)["input_ids"] if len(texts) else []

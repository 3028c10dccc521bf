"""Text to tokens and back: a prompt is cut on its left, a response on its right, and the loss sees responses only."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

Tokenizer = Any  # a transformers fast tokenizer


@dataclass(frozen=True, slots=True)
class Lengths:
    """Most tokens of a prompt (its end is kept) and of a response (its beginning is kept)."""

    prompt: int = 64
    response: int = 96

    def __post_init__(self) -> None:
        if min(self.prompt, self.response) < 1:
            raise ValueError(f"a prompt and a response need at least one token each, got {self.prompt} and {self.response}")


def prompt_ids(tokenizer: Tokenizer, prompts: Sequence[str], lengths: Lengths) -> list[list[int]]:
    """ids of each prompt's end, for a causal model, after the token that its tokenizer begins texts with, if it does so.

    An empty prompt is that token, or the one that ends texts.
    """
    begin = tokenizer("a", return_attention_mask=False)["input_ids"][:1]
    begin = begin if begin == [tokenizer.bos_token_id] else []
    return [[*begin, *ids[-lengths.prompt :]] or [tokenizer.eos_token_id] for ids in _ids(tokenizer, prompts)]


def response_ids(tokenizer: Tokenizer, responses: Sequence[str], lengths: Lengths) -> list[list[int]]:
    """ids of each response's beginning and the end token, for a causal model."""
    return [[*ids[: lengths.response], tokenizer.eos_token_id] for ids in _ids(tokenizer, responses)]


def encoded_ids(tokenizer: Tokenizer, prompts: Sequence[str], responses: Sequence[str], lengths: Lengths) -> list[list[int]]:
    """ids of [CLS] prompt [SEP] response [SEP], for an encoder."""
    first, last = [tokenizer.cls_token_id], [tokenizer.sep_token_id]
    asked, said = (_ids(tokenizer, texts) for texts in (prompts, responses))
    return [
        first + head[-lengths.prompt :] + last + ids[: lengths.response] + last for head, ids in zip(asked, said, strict=True)
    ]


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

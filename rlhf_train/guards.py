"""What must hold before training begins: a tokenizer of this model, rows that fit, pairs that differ."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from rlhf_train.errors import TrainingError
from rlhf_train.inputs import plain
from rlhf_train.text import Lengths, Tokenizer, response_ids

NAMED = 10  # rows that a message names


def check_model(model: Any, tokenizer: Tokenizer, lengths: Lengths) -> None:
    """TrainingError where the tokenizer has tokens that the model lacks, or its context is shorter than a row may be."""
    rows = plain(model).get_input_embeddings().num_embeddings
    most = max(tokenizer.get_vocab().values())
    if most >= rows:
        raise TrainingError(
            f"the tokenizer has ids up to {most:,} and the model embeds {rows:,}: they do not belong together; "
            "give the tokenizer that was saved with the model"
        )
    if tokenizer.eos_token_id is None and tokenizer.sep_token_id is None:
        raise TrainingError("the tokenizer has no end token; set its eos_token to the one that the model was trained with")
    context = getattr(plain(model).config, "max_position_embeddings", None)
    longest = lengths.prompt + lengths.response + 3  # the marks around them
    if context is not None and longest > context:
        raise TrainingError(
            f"a row may have {lengths.prompt} prompt tokens and {lengths.response} of the response, {longest} with its marks, "
            f"and the model's context is {context}; lower prompt_tokens or response_tokens"
        )


def usable_pairs(
    columns: Mapping[str, Sequence[str]], tokenizer: Tokenizer, lengths: Lengths, *, most_identical: float = 0.01
) -> np.ndarray:
    """Places of the pairs whose sides differ as tokens, after truncation.

    TrainingError where a response is empty, or where more than the share `most_identical` have sides that are alike.
    """
    for side in ("chosen", "rejected"):
        if empty := [place for place, text in enumerate(columns[side]) if not text.strip()]:
            raise TrainingError(f"{side} is empty in {named(empty)}; drop these pairs: there is nothing to learn from them")
    chosen, rejected = (response_ids(tokenizer, columns[side], lengths) for side in ("chosen", "rejected"))
    alike = [place for place, (one, other) in enumerate(zip(chosen, rejected, strict=True)) if one == other]
    if len(alike) > most_identical * len(chosen):
        raise TrainingError(
            f"{len(alike):,} of {len(chosen):,} pairs have sides that are the same {lengths.response} tokens, more than "
            f"{most_identical:.1%}: {named(alike)}; raise response_tokens, or allow more with most_identical"
        )
    return np.setdiff1d(np.arange(len(chosen)), alike)


def named(places: Sequence[int]) -> str:
    """Rows by their number, the first of many."""
    rest = f" and {len(places) - NAMED:,} more" if len(places) > NAMED else ""
    return f"row{'s' if len(places) > 1 else ''} {', '.join(map(str, places[:NAMED]))}{rest}"

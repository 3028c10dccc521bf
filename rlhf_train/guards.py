"""What must hold before training begins: a tokenizer of this model, rows that fit, pairs that differ."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from rlhf_train.by_content import tokenizer_digest
from rlhf_train.errors import TrainingError
from rlhf_train.given import to_device
from rlhf_train.inputs import plain, sequence_logps, sequence_rewards
from rlhf_train.packing import Tree, pack, pack_encoded
from rlhf_train.text import Lengths, Tokenizer, response_ids

MARKS = 3  # tokens that stand around prompt and response
NAMED = 10  # rows that a message names
PROBED = 2e-2  # how far packed and plain numbers may be apart, for rounding in half precision


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
    longest = lengths.prompt + lengths.response + MARKS
    if context is not None and longest > context:
        raise TrainingError(
            f"a row may have {lengths.prompt} prompt tokens and {lengths.response} of the response, {longest} with its marks, "
            f"and the model's context is {context}; lower prompt_tokens or response_tokens"
        )


@torch.no_grad()
def check_packing(model: Any) -> None:
    """TrainingError where packed rows give a model other numbers than plain ones: it does what packing does not know."""
    words = min(plain(model).get_input_embeddings().num_embeddings, 64)
    first, last, other = ([*range(start, words, 3)][:size] for start, size in ((3, 5), (4, 7), (5, 4)))
    rows = [(first, last), (first, other), (other, first)]
    try:
        found = _packed(model, first, last, other)
    except (TypeError, ValueError, AttributeError) as error:
        raise TrainingError(f"{type(plain(model)).__name__} can't take packed rows: {error}") from error
    expected = torch.stack([_alone(model, prompt, response) for prompt, response in rows])
    if not torch.allclose(found, expected, rtol=PROBED, atol=PROBED):
        off = (found - expected).abs().max().item()
        raise TrainingError(
            f"{type(plain(model)).__name__} gives packed rows other numbers than plain ones (off by {off:.3g}): it computes "
            "something that packing does not know, as a scaled head; train another architecture"
        )


def _packed(model: Any, first: list[int], last: list[int], other: list[int]) -> torch.Tensor:
    if hasattr(plain(model), "classifier"):
        rows = pack_encoded([[*first, *last], [*first, *other], [*other, *first]])
        return sequence_rewards(model, to_device(rows, plain(model).device))
    rows = pack([Tree(first, (last, other)), Tree(other, (first,))])
    score = sequence_rewards if hasattr(plain(model), "score") else sequence_logps
    return score(model, to_device(rows, plain(model).device))


def _alone(model: Any, prompt: list[int], response: list[int]) -> torch.Tensor:
    ids = torch.tensor([[*prompt, *response]], device=plain(model).device)
    logits = model(input_ids=ids).logits[0]
    if hasattr(plain(model), "score") or hasattr(plain(model), "classifier"):
        return logits[0].float()
    logps = logits[len(prompt) - 1 : -1].float().log_softmax(-1)
    return logps.gather(1, ids[0, len(prompt) :, None]).sum()


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
            f"{len(alike):,} of {len(chosen):,} pairs are the same in their first {lengths.response} tokens, more than "
            f"{most_identical:.1%}: {named(alike)}; raise response_tokens, or allow more with most_identical"
        )
    if len(alike) == len(chosen):
        raise TrainingError(f"all pairs are the same in their first {lengths.response} tokens; raise response_tokens")
    return np.setdiff1d(np.arange(len(chosen)), alike)


def check_same_tokens(one: Tokenizer, other: Tokenizer) -> None:
    """TrainingError where laws of the next token can't be compared: they are of other tokens."""
    if tokenizer_digest(one) != tokenizer_digest(other):
        raise TrainingError(
            "laws of the next token are compared token by token, and these two models have other tokenizers; "
            "take models of one tokenizer, or learn the other's texts by sft"
        )


def check_rewards(columns: Mapping[str, Any], **numbers: Any) -> None:
    """TrainingError where `reward` is constant, or where each `prompt` has one reward only: none of its responses is better."""
    rewards = columns["reward"]
    if np.ptp(rewards) == 0:
        raise TrainingError(f"reward is {rewards[0]:g} in every row: no policy can learn from it; look at what scored the rows")
    said = set(zip(columns["prompt"], rewards.tolist(), strict=True))
    if len(said) == len(set(columns["prompt"])):
        raise TrainingError(
            "all responses to a prompt have the same reward, for every prompt: none is better than another, and no policy can "
            "learn from it; give each prompt several responses"
        )


def check_end(model: Any, tokenizer: Tokenizer) -> None:
    """TrainingError where the head would read a token that the model never says: it must end texts as its tokenizer does."""
    if tokenizer.eos_token_id is None:
        raise TrainingError("a preference head reads the end token and the tokenizer has none; set its eos_token")
    whole = plain(model)
    said = _ends(getattr(whole, "generation_config", None)) or _ends(whole.config)
    if said and tokenizer.eos_token_id not in said:
        names = ", ".join(map(repr, tokenizer.convert_ids_to_tokens(list(said))))
        raise TrainingError(
            f"a preference head reads {tokenizer.eos_token!r}, with which the tokenizer ends texts, and the model ends its own "
            f"with {names}; set the tokenizer's eos_token, or eos_token_id in the model's generation_config.json"
        )


def named(places: Sequence[int]) -> str:
    """Rows by their number, the first of many."""
    rest = f" and {len(places) - NAMED:,} more" if len(places) > NAMED else ""
    return f"row{'s' if len(places) > 1 else ''} {', '.join(map(str, places[:NAMED]))}{rest}"


def _ends(config: Any) -> tuple[int, ...]:
    """The tokens that a configuration ends texts with."""
    ends = getattr(config, "eos_token_id", None)
    return () if ends is None else tuple(ends) if isinstance(ends, (list, tuple)) else (int(ends),)

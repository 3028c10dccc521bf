"""Segments of a response: it is cut where a frozen reference is unsure how to go on (Yin et al., 2025), after each sentence,
after each token, or not at all.

H_j is the entropy, in nats, of what the reference says after token j; token j + 1 begins a segment where H_j > cutoff.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from math import isfinite
from typing import Literal

import numpy as np
import torch

from rlhf_train.batches import Columns, Rows, rows_of, trees_of
from rlhf_train.credit import padded
from rlhf_train.errors import TrainingError
from rlhf_train.packing import Tree
from rlhf_train.text import Lengths, Tokenizer

Granularity = Literal["entropy", "sentence", "token", "bandit"]
Tensor = torch.Tensor

SIDES = ("chosen", "rejected")
BLOCK = 1024  # rows that are cut together
CUTOFF = 1.75  # of Phi-3; 2 of Llama 3
CLOSED = re.compile(r"""[.!?\u2026]+["')\]\u201d\u2019]*(?=\s|$)\n*|\n+""")


def segment_ends(
    entropies: Tensor | None,
    mask: Tensor,
    *,
    cutoff: float = CUTOFF,
    granularity: Granularity = "entropy",
    closed: Tensor | None = None,
) -> Tensor:
    """[S, T] whether a segment ends with a token; all are [S, T], the mask true where a token is, the end token last.

    The last segment ends before the end token, which belongs to none, unless it is all there is. Not so by "bandit": the one
    segment is all of the response, end token included. `closed` says where sentences end, for "sentence".
    """
    places, last = torch.arange(mask.shape[1], device=mask.device), mask.sum(1)[:, None] - 1
    if granularity == "bandit":
        return places == last
    final = (last - 1).clamp(min=0)
    cut = _cut(entropies, mask, cutoff, granularity, closed) & (places < final)
    return (cut | (places == final)) & mask


def ends_of(
    entropies: Tensor | None,
    ids: Tensor,
    owners: Tensor,
    count: int,
    tokenizer: Tokenizer,
    *,
    cutoff: float,
    granularity: Granularity,
) -> Tensor:
    """[M] whether a segment ends with a token: segment_ends of tokens [M] of `count` responses, whose owners ascend."""
    mask = padded(owners, owners, count)[1]
    held = None if entropies is None else padded(entropies, owners, count)[0]
    closed = None
    if granularity == "sentence":
        parts = ids.cpu().split(torch.bincount(owners, minlength=count).tolist())
        marks = np.concatenate([sentences(token_texts(tokenizer, part.tolist())) for part in parts])
        closed = padded(torch.from_numpy(marks).to(owners.device), owners, count)[0]
    return segment_ends(held, mask, cutoff=cutoff, granularity=granularity, closed=closed)[mask]


def pairs(
    columns: Columns,
    tokenizer: Tokenizer,
    lengths: Lengths = Lengths(),
    *,
    cutoff: float = CUTOFF,
    granularity: Granularity = "entropy",
) -> Rows:
    """`prompt`, `chosen`, `rejected` for a causal model, with chosen_entropies and rejected_entropies, an array a response.

    The loss is given `ends`: whether a segment ends with a token [M].
    """
    trees, found = trees_of(columns, SIDES, tokenizer, lengths), []
    for start in range(0, len(trees), BLOCK):
        block = trees[start : start + BLOCK]
        sizes = torch.tensor([size for tree in block for size in tree.parts[1:]])
        ids = torch.tensor([token for tree in block for response in tree.responses for token in response])
        entropies = _of_both(columns, start, block) if granularity == "entropy" else None
        owners = torch.arange(len(sizes)).repeat_interleave(sizes)
        ends = ends_of(entropies, ids, owners, len(sizes), tokenizer, cutoff=cutoff, granularity=granularity)
        found += [part.numpy() for part in ends.split(sizes.view(-1, len(SIDES)).sum(1).tolist())]
    return rows_of(trees, {"ends": found})


def positions(ends: np.ndarray, owners: np.ndarray) -> np.ndarray:
    """[K] t / T of every segment: which of its response's segments it is; ends and owners [M] are of all tokens."""
    own = owners[ends]
    counts = np.bincount(own) if len(own) else np.zeros(0, dtype=int)
    first = np.concatenate([[0], np.cumsum(counts)])[:-1]
    return (np.arange(len(own)) - first[own] + 1) / counts[own]


def sentences(texts: Sequence[str]) -> np.ndarray:
    """[T] whether a sentence ends with a token, of the texts of a response's tokens, each with the space before it.

    That is after a mark that ends sentences, with the quotes and brackets that it closes, where a space or nothing follows; and
    after new lines.
    """
    places = np.cumsum([len(text) for text in texts])
    last = [match.end() - 1 for match in CLOSED.finditer("".join(texts))]
    return np.isin(np.arange(len(texts)), np.searchsorted(places, last, side="right"))


def token_texts(tokenizer: Tokenizer, ids: Sequence[int]) -> list[str]:
    """The text of each token, with the space that it puts before itself inside a text."""
    return [_text(tokenizer, token) for token in ids]


@lru_cache(maxsize=2**18)
def _text(tokenizer: Tokenizer, token: int) -> str:
    """A token by itself would lose its space: it is read after another one."""
    [first, *_] = tokenizer("a", add_special_tokens=False)["input_ids"]
    return tokenizer.decode([first, token])[len(tokenizer.decode([first])) :]


def _of_both(columns: Columns, start: int, trees: Sequence[Tree]) -> Tensor:
    """[M] entropies of the responses of rows from `start` on; TrainingError where they are of other tokens."""
    found = []
    for at, tree in enumerate(trees, start):
        for side, size in zip(SIDES, tree.parts[1:], strict=True):
            numbers = columns[f"{side}_entropies"][at]
            if len(numbers) != size:
                raise TrainingError(
                    f"{side}_entropies of row {at} are {len(numbers)} numbers, and its response has {size} tokens: the "
                    "reference reads it with another tokenizer or response_tokens; take one with the model's own"
                )
            found.append(numbers)
    return torch.from_numpy(np.concatenate(found).astype(np.float32))


def _cut(entropies: Tensor | None, mask: Tensor, cutoff: float, granularity: Granularity, closed: Tensor | None) -> Tensor:
    if granularity == "token":
        return mask
    held = closed if granularity == "sentence" else entropies
    if held is None:
        needed = "closed, where sentences end" if granularity == "sentence" else "the entropies of a reference"
        raise TrainingError(f"segments by {granularity} need {needed}; got none")
    if granularity == "sentence":
        return held
    if not (isfinite(cutoff) and cutoff >= 0):
        raise TrainingError(f"cutoff is an entropy in nats and must be a finite number, 0 or more, got {cutoff}")
    if not torch.isfinite(held[mask]).all():
        raise TrainingError("entropies must be finite, and the reference gave one that is not; look at its weights")
    return held > cutoff

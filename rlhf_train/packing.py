"""Packing: trees of a prompt and its responses end to end, without padding, each prompt computed once for all its responses.

A response attends to its prompt and to itself, never to a sibling or another tree, and its positions go on where the prompt
ends: every token has the hidden state that it would have alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import torch


@dataclass(frozen=True, slots=True)
class Tree:
    """Token ids of a prompt, at least one, and of each response to it; an encoder's sequence is a prompt alone."""

    prompt: Sequence[int]
    responses: tuple[Sequence[int], ...] = ()

    @property
    def parts(self) -> tuple[int, ...]:
        """Tokens of the prompt and of each response."""
        return (len(self.prompt), *map(len, self.responses))

    def __len__(self) -> int:
        return sum(self.parts)


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the trees of a packed row stand: the tokens of each tree's parts, in order. An encoder's are not causal."""

    trees: tuple[tuple[int, ...], ...]
    causal: bool = True

    def to(self, device: Any) -> "Layout":
        """Itself: numbers of Python are on no device."""
        return self


def pack(trees: Sequence[Tree]) -> dict[str, Any]:
    """One row of N tokens: input_ids, position_ids [1, N], layout; M response tokens of S responses, trees in order:

    predictors [M] (places whose hidden state predicts a response token), places [M] (where that token stands), targets [M] (its
    id), owners [M] (its response, from 0 to S - 1), ends [S] (place of the last token of each response).
    """
    ids: list[Sequence[int]] = []
    positions, predictors, places, owners = [], [], [], []
    ends: list[int] = []
    start = 0
    for tree in trees:
        prompt = len(tree.prompt)
        if not prompt:
            raise ValueError("a packed prompt needs at least one token, got none; begin it with the tokenizer's bos or eos")
        ids += [tree.prompt, *tree.responses]
        positions.append(np.arange(prompt))
        place = start + prompt
        for response in tree.responses:
            size = len(response)
            positions.append(np.arange(prompt, prompt + size))
            before = np.arange(place - 1, place + size - 1)
            before[:1] = start + prompt - 1
            predictors.append(before)
            places.append(np.arange(place, place + size))
            owners.append(np.full(size, len(ends)))
            ends.append(place + size - 1)
            place += size
        start = place
    tokens = torch.from_numpy(np.concatenate(ids).astype(np.int64))
    responses = [np.asarray(response) for tree in trees for response in tree.responses]
    return {
        "input_ids": tokens[None],
        "position_ids": _long(positions)[None],
        "layout": Layout(tuple(tree.parts for tree in trees)),
        "predictors": _long(predictors),
        "places": _long(places),
        "targets": _long(responses),
        "owners": _long(owners),
        "ends": torch.tensor(ends, dtype=torch.long),
    }


def laid_out(trees: Sequence[Tree]) -> dict[str, Any]:
    """As `pack`, without what is said of the response tokens: input_ids, position_ids [1, N], layout."""
    parts = [part for tree in trees for part in (tree.prompt, *tree.responses)]
    sizes, counts = np.array([len(part) for part in parts]), np.array([1 + len(tree.responses) for tree in trees])
    firsts = np.cumsum(counts) - counts
    begins = np.repeat(sizes[firsts], counts)  # where a part's positions begin: a response's where its prompt ends
    begins[firsts] = 0
    line = np.arange(sizes.sum()) + np.repeat(begins - np.cumsum(sizes) + sizes, sizes)
    cuts = np.split(sizes, firsts[1:])
    ids = np.fromiter(chain.from_iterable(parts), dtype=np.int64, count=len(line))
    return {
        "input_ids": torch.from_numpy(ids)[None],
        "position_ids": torch.from_numpy(line)[None],
        "layout": Layout(tuple(tuple(own.tolist()) for own in cuts)),
    }


def pack_encoded(rows: Sequence[Sequence[int]]) -> dict[str, Any]:
    """One row of N tokens for an encoder: input_ids, position_ids [1, N], layout, ends [S] (each row's first place)."""
    starts = np.cumsum([0, *map(len, rows)])[:-1]
    return {
        "input_ids": _long([np.asarray(row) for row in rows])[None],
        "position_ids": _long([np.arange(len(row)) for row in rows])[None],
        "layout": Layout(tuple((len(row),) for row in rows), causal=False),
        "ends": torch.from_numpy(starts),
    }


def fill(sizes: Sequence[int], budget: int) -> list[slice]:
    """Cuts a line of trees into runs of at most `budget` tokens, as few as a greedy fill needs; a larger tree stands alone."""
    cuts, taken = [0], 0
    for at, size in enumerate(sizes):
        if taken and taken + size > budget:
            cuts.append(at)
            taken = 0
        taken += size
    return [slice(first, last) for first, last in zip(cuts, [*cuts[1:], len(sizes)], strict=True)] if len(sizes) else []


def _long(parts: Sequence[np.ndarray]) -> torch.Tensor:
    return torch.from_numpy(np.concatenate([*parts, np.zeros(0, dtype=np.int64)]).astype(np.int64))

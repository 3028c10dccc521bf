"""Batches from tables of text: endless, shuffled by seed, rows of like length together so that little is padding."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import torch

from rlhf_train.text import IGNORED, Lengths, Tokenizer, causal_ids, padded, pair_ids

Batch = dict[str, torch.Tensor]
Columns = Mapping[str, Sequence[str]]
POOL = 16  # batches whose rows are sorted by length together
WIDTHS = 16  # batches are as wide as a multiple of it: memory is kept for every shape that a kernel ever saw


def responses(
    columns: Columns, tokenizer: Tokenizer, *, size: int, seed: int = 0, lengths: Lengths = Lengths()
) -> Iterator[Batch]:
    """input_ids, attention_mask, labels [size, T] from `prompt` and `response`; labels count in the response only."""
    rows = causal_ids(tokenizer, columns["prompt"], columns["response"], lengths)
    for places in _places([len(ids) for ids, _ in rows], size, seed):
        ids = [rows[place][0] for place in places]
        labels = [[IGNORED] * rows[place][1] + rows[place][0][rows[place][1] :] for place in places]
        yield {**masked(ids, tokenizer), "labels": padded(labels, IGNORED, multiple=WIDTHS)}


def pairs(columns: Columns, tokenizer: Tokenizer, *, size: int, seed: int = 0, lengths: Lengths = Lengths()) -> Iterator[Batch]:
    """input_ids, attention_mask [2 size, T] from `prompt`, `chosen`, `rejected`: the chosen rows first, for an encoder."""
    chosen, rejected = (pair_ids(tokenizer, columns["prompt"], columns[side], lengths) for side in ("chosen", "rejected"))
    for places in _places([max(map(len, both)) for both in zip(chosen, rejected, strict=True)], size, seed):
        yield masked([side[place] for side in (chosen, rejected) for place in places], tokenizer)


def masked(rows: Sequence[Sequence[int]], tokenizer: Tokenizer, *, left: bool = False) -> Batch:
    """input_ids and attention_mask [B, T] of token rows, padded on the right unless `left` says otherwise."""
    return {
        "input_ids": padded(rows, tokenizer.pad_token_id, left=left, multiple=WIDTHS),
        "attention_mask": padded([[1] * len(row) for row in rows], 0, left=left, multiple=WIDTHS),
    }


def blocks(texts: Sequence[str], tokenizer: Tokenizer, *, size: int, width: int = 128, seed: int = 0) -> Iterator[Batch]:
    """input_ids, attention_mask, labels [size, width]: texts end to end, each closed by the end token; for pre-training."""
    rows = tokenizer(list(texts), add_special_tokens=False, return_attention_mask=False)["input_ids"]
    line = np.concatenate([np.asarray([*row, tokenizer.eos_token_id]) for row in rows])
    count = max(len(line) // width, 1)
    table = np.resize(line, count * width).reshape(count, width)
    random = np.random.default_rng(seed)
    while True:
        order = random.permutation(count)
        for start in range(0, count, size):
            ids = torch.from_numpy(table[order[start : start + size]])
            yield {"input_ids": ids, "attention_mask": torch.ones_like(ids), "labels": ids}


def by_length(lengths: Sequence[int], size: int) -> list[np.ndarray]:
    """Places of all rows in batches of `size`, the longest first, each row once."""
    order = np.argsort(lengths, kind="stable")[::-1]
    return [order[start : start + size] for start in range(0, len(order), size)]


def _places(lengths: Sequence[int], size: int, seed: int) -> Iterator[np.ndarray]:
    """Endless epochs of batches: shuffled pools, sorted within, their batches in random order."""
    random, measured = np.random.default_rng(seed), np.asarray(lengths)
    while True:
        order = random.permutation(len(measured))
        found = []
        for start in range(0, len(order), size * POOL):
            pool = order[start : start + size * POOL]
            pool = pool[np.argsort(measured[pool], kind="stable")]
            found += [pool[at : at + size] for at in range(0, len(pool), size)]
        for at in random.permutation(len(found)):
            yield found[at]

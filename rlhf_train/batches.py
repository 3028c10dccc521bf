"""Steps of packed batches from tables: endless, shuffled by seed, rows of like length together, and known by their number."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import numpy as np

from rlhf_train.given import given_of, to_device
from rlhf_train.packing import Tree, fill, pack, pack_encoded
from rlhf_train.text import Lengths, Tokenizer, encoded_ids, prompt_ids, response_ids

TOKENS = 4096  # of a batch: a processor gains nothing by more
POOL = 16  # steps whose rows are sorted by length together

Columns = Mapping[str, Sequence[Any]]


@dataclass(frozen=True, slots=True)
class Batch:
    """What a forward pass reads, and its share of the step's mean: 1 over all batches of all processes."""

    tensors: dict[str, Any]
    share: float = 1.0
    places: Sequence[int] = ()  # of its rows in the table
    told: Mapping[str, float] = field(default_factory=dict)  # of the step's rows, for its metrics

    def to(self, device: Any) -> dict[str, Any]:
        """The tensors on a device."""
        return to_device(self.tensors, device)


Source = Callable[[int, int, int], Iterator[list[Batch]]]  # (first step, rank, world): the batches of this process, by step


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of a table as tokens: how long each is, how much of a step's mean it is, and how some of them are packed."""

    sizes: Sequence[int]
    units: np.ndarray
    pack: Callable[[np.ndarray], dict[str, Any]]
    chances: np.ndarray | None = None  # they are drawn with replacement in proportion to these, and not shuffled

    def __len__(self) -> int:
        return len(self.sizes)


def responses(columns: Columns, tokenizer: Tokenizer, lengths: Lengths = Lengths()) -> Rows:
    """`prompt` and `response`, for a causal model; a row counts as often as its response has tokens."""
    trees = trees_of(columns, ("response",), tokenizer, lengths)
    return rows_of(trees, columns, units=[tree.parts[1] for tree in trees])


def pairs(columns: Columns, tokenizer: Tokenizer, lengths: Lengths = Lengths()) -> Rows:
    """`prompt`, `chosen`, `rejected` for a causal model, the prompt shared; other columns are given to the loss."""
    return rows_of(trees_of(columns, ("chosen", "rejected"), tokenizer, lengths), columns)


def mismatched_pairs(columns: Columns, tokenizer: Tokenizer, lengths: Lengths = Lengths()) -> Rows:
    """As `pairs`, with the column `mismatched` as a third response: one to another prompt."""
    return rows_of(trees_of(columns, ("chosen", "rejected", "mismatched"), tokenizer, lengths), columns)


def trees_of(columns: Columns, sides: Sequence[str], tokenizer: Tokenizer, lengths: Lengths) -> list[Tree]:
    """A tree a row: its `prompt` with its response in each of the columns `sides`."""
    prompts = prompt_ids(tokenizer, columns["prompt"], lengths)
    said = (response_ids(tokenizer, columns[side], lengths) for side in sides)
    return [Tree(prompt, tuple(own)) for prompt, *own in zip(prompts, *said, strict=True)]


def mismatched(columns: Columns) -> list[str]:
    """For each prompt a response to the next one, by turns its chosen and its rejected one."""
    count = len(columns["prompt"])
    return [columns["rejected" if at % 2 else "chosen"][(at + 1) % count] for at in range(count)]


def encoded_pairs(columns: Columns, tokenizer: Tokenizer, lengths: Lengths = Lengths()) -> Rows:
    """As `pairs`, for an encoder: a sequence for each side, nothing shared."""
    sides = [encoded_ids(tokenizer, columns["prompt"], columns[side], lengths) for side in ("chosen", "rejected")]
    both, given = list(zip(*sides, strict=True)), given_of(columns)
    return Rows(
        [sum(map(len, pair)) for pair in both],
        np.ones(len(both)),
        lambda places: {**pack_encoded([row for place in places for row in both[place]]), "given": given(places)},
    )


def encoded_responses(columns: Columns, tokenizer: Tokenizer, lengths: Lengths = Lengths()) -> Rows:
    """`prompt` and `response` for an encoder: a sequence a row."""
    rows = encoded_ids(tokenizer, columns["prompt"], columns["response"], lengths)
    return Rows(
        list(map(len, rows)),
        np.ones(len(rows)),
        lambda places: {**pack_encoded([rows[place] for place in places]), "given": {}},
    )


def blocks(texts: Sequence[str], tokenizer: Tokenizer, *, width: int = 128) -> Rows:
    """Blocks of `width` tokens: texts end to end, each closed by the end token; for pre-training."""
    rows = tokenizer(list(texts), add_special_tokens=False, return_attention_mask=False)["input_ids"]
    line = np.concatenate([np.asarray([*row, tokenizer.eos_token_id]) for row in rows])
    count = max(len(line) // width, 1)
    table = np.resize(line, count * width).reshape(count, width).tolist()
    return rows_of([Tree(row[:1], (row[1:],)) for row in table], {})


def rows_of(trees: Sequence[Tree], given: Columns, *, units: Sequence[float] | None = None) -> Rows:
    """Trees as rows, and what the loss is given of them: an array [trees], or a list of an array a tree, put end to end.

    Columns of text may stand among the given; they are left out.
    """
    held = given_of(given)
    return Rows(
        [len(tree) for tree in trees],
        np.ones(len(trees)) if units is None else np.asarray(units, dtype=float),
        lambda places: {**pack([trees[place] for place in places]), "given": held(places)},
    )


def shuffled(rows: Rows, *, size: int, seed: int = 0, tokens: int = TOKENS) -> Source:
    """Endless epochs of steps of `size` rows, the last of an epoch perhaps smaller, in batches of at most `tokens` tokens.

    Rows with chances are drawn by them, as many as there are for an epoch.
    """

    def source(start: int, rank: int, world: int) -> Iterator[list[Batch]]:
        for places in islice(_places(rows, size, seed), start, None):
            yield dealt(rows, places, tokens=tokens, rank=rank, world=world)

    return source


def dealt(
    rows: Rows,
    places: np.ndarray,
    *,
    tokens: int = TOKENS,
    rank: int = 0,
    world: int = 1,
    told: Mapping[str, float] | None = None,
) -> list[Batch]:
    """The batches of one process of a step over these places, as many as of any other.

    The last ones may count nothing: weights that processes hold in parts are gathered by all of them together.
    """
    total, shortest = rows.units[places].sum(), places[[np.argmin([rows.sizes[place] for place in places])]]
    shares = [places[each::world] for each in range(world)]
    cuts = [[own[cut] for cut in fill([rows.sizes[place] for place in own], tokens)] for own in shares]
    idle = max(map(len, cuts)) - len(cuts[rank])
    parts = [(part, float(rows.units[part].sum() / total)) for part in cuts[rank]] + [(shortest, 0.0)] * idle
    return [Batch(rows.pack(part), share, part.tolist(), told or {}) for part, share in parts]


def in_order(rows: Rows, *, tokens: int = TOKENS) -> list[Batch]:
    """All rows once, the longest first: for what is measured and not learned."""
    order = np.argsort(rows.sizes, kind="stable")[::-1]
    return dealt(rows, order, tokens=tokens)


def _places(rows: Rows, size: int, seed: int) -> Iterator[np.ndarray]:
    """Endless epochs of steps: shuffled pools, sorted within, their steps in random order."""
    random, measured = np.random.default_rng(seed), np.asarray(rows.sizes)
    chances = None if rows.chances is None else rows.chances / rows.chances.sum()
    while True:
        count = len(measured)
        order = random.permutation(count) if chances is None else random.choice(count, count, p=chances)
        found = []
        for start in range(0, len(order), size * POOL):
            pool = order[start : start + size * POOL]
            pool = pool[np.argsort(measured[pool], kind="stable")]
            found += [pool[at : at + size] for at in range(0, len(pool), size)]
        for at in random.permutation(len(found)):
            yield found[at]

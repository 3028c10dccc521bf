"""Candidates: stored responses, several to a prompt, with a reward each; the best of them, and rows that teach all of them."""

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from rlhf_train.batches import Columns, Rows, rows_of
from rlhf_train.errors import TrainingError
from rlhf_train.packing import Tree
from rlhf_train.text import Lengths, Tokenizer, prompt_ids, response_ids

MOST = 16  # responses that share a prompt's tokens; what goes beyond is another row, or no batch could hold it


def best(prompts: Sequence[str], rewards: np.ndarray) -> np.ndarray:
    """[P] places of the best response to each prompt, prompts in the order in which they come; of equal ones the first.

    TrainingError where the two differ in length, or a reward is not finite.
    """
    rewards, owners = _sound(prompts, rewards), _owners(prompts)
    order = np.lexsort((-rewards, owners))
    return order[np.unique(owners[order], return_index=True)[1]]


def shares(labels: Sequence[str], places: np.ndarray) -> dict[str, float]:
    """The share that each label, such as a tier, has in the places; 0 for one that stands in none."""
    found = Counter(labels[place] for place in places)
    return {label: found[label] / max(len(places), 1) for label in dict.fromkeys(labels)}


def advantages(prompts: Sequence[str], rewards: np.ndarray) -> np.ndarray:
    """[N] each reward minus the mean reward of the responses to its prompt: a prompt that is easy raises none of them."""
    rewards, owners = _sound(prompts, rewards), _owners(prompts)
    return rewards - (np.bincount(owners, rewards) / np.bincount(owners))[owners]


def trees(
    prompts: Sequence[str], responses: Sequence[str], tokenizer: Tokenizer, lengths: Lengths, *, alone: bool = False
) -> list[tuple[Tree, np.ndarray]]:
    """A tree a prompt with its responses (or `alone`, a response each), and their places; beyond MOST a prompt has several."""
    owners = np.arange(len(prompts)) if alone else _owners(prompts)
    order = np.argsort(owners, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(owners[order])) + 1) if len(order) else []
    parts = [group[start : start + MOST] for group in groups for start in range(0, len(group), MOST)]
    asked = prompt_ids(tokenizer, [prompts[part[0]] for part in parts], lengths)
    said = response_ids(tokenizer, responses, lengths)
    return [(Tree(ids, tuple(said[place] for place in part)), part) for ids, part in zip(asked, parts, strict=True)]


def rows(columns: Columns, tokenizer: Tokenizer, lengths: Lengths = Lengths()) -> Rows:
    """`prompt`, `response`, `reward` and `ref_token_logps` (an array a response) for the objective off_policy.

    A row is a prompt with its responses, and counts as many of a step's mean as it has of them.
    """
    gains = advantages(columns["prompt"], np.asarray(columns["reward"]))
    per_token = {"ref_token_logps": columns["ref_token_logps"]}
    return grouped(columns, tokenizer, lengths, per_response={"advantages": gains}, per_token=per_token)


def alone(columns: Columns, tokenizer: Tokenizer, lengths: Lengths = Lengths()) -> Rows:
    """`prompt` and `response`: a row a response, and each counts alike, however long."""
    return grouped(columns, tokenizer, lengths, per_response={}, alone=True)


def grouped(
    columns: Columns,
    tokenizer: Tokenizer,
    lengths: Lengths,
    *,
    per_response: Mapping[str, np.ndarray],
    per_token: Mapping[str, Sequence[np.ndarray]] | None = None,
    alone: bool = False,
) -> Rows:
    """Trees of `prompt` and `response` as rows, and what the loss is given: numbers [N, ...] of responses, arrays of tokens.

    A row counts as many of a step's mean as it has responses.
    """
    grown = trees(columns["prompt"], columns["response"], tokenizer, lengths, alone=alone)
    given: dict[str, list[np.ndarray]] = {name: [held[part] for _, part in grown] for name, held in per_response.items()}
    for name, arrays in (per_token or {}).items():
        given[name] = [np.concatenate([arrays[place] for place in part]) for _, part in grown]
    return rows_of([tree for tree, _ in grown], given, units=[len(part) for _, part in grown])


def _owners(prompts: Sequence[str]) -> np.ndarray:
    """[N] the number of each prompt, in the order in which they come."""
    numbers: dict[str, int] = {}
    return np.array([numbers.setdefault(prompt, len(numbers)) for prompt in prompts], dtype=np.int64)


def _sound(prompts: Sequence[str], rewards: np.ndarray) -> np.ndarray:
    values = np.asarray(rewards, dtype=float)
    if values.shape != (len(prompts),):
        raise TrainingError(f"expected a reward for each of {len(prompts):,} responses, got {list(values.shape)}")
    if not np.isfinite(values).all():
        place = int(np.flatnonzero(~np.isfinite(values))[0])
        raise TrainingError(f"rewards must be finite, got {values[place]} in row {place}; score it again or drop it")
    return values

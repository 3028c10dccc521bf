"""Candidates: stored responses, several to a prompt, with a reward each; the best of them, and rows that teach all of them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from rlhf_train.batches import Columns, Rows
from rlhf_train.errors import TrainingError
from rlhf_train.packing import Tree, pack
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
    prompts: Sequence[str], responses: Sequence[str], tokenizer: Tokenizer, lengths: Lengths
) -> list[tuple[Tree, np.ndarray]]:
    """A tree a prompt with its responses, and the places of these; a prompt with more than MOST has several."""
    owners = _owners(prompts)
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
    gains, refs = advantages(columns["prompt"], np.asarray(columns["reward"])), columns["ref_token_logps"]
    grown = trees(columns["prompt"], columns["response"], tokenizer, lengths)
    return credited(
        [tree for tree, _ in grown],
        [gains[part] for _, part in grown],
        [np.concatenate([refs[place] for place in part]) for _, part in grown],
    )


def credited(grown: Sequence[Tree], gains: Sequence[np.ndarray], refs: Sequence[np.ndarray]) -> Rows:
    """Trees with the advantages of their responses [S] and the reference's log-probabilities of their tokens [M]."""

    def packed(places: np.ndarray) -> dict[str, Any]:
        held: Mapping[str, Sequence[np.ndarray]] = {"advantages": gains, "ref_token_logps": refs}
        given = {name: np.concatenate([parts[at] for at in places]).astype(np.float32) for name, parts in held.items()}
        return {
            **pack([grown[at] for at in places]),
            "given": {name: torch.from_numpy(part) for name, part in given.items()},
        }

    return Rows([len(tree) for tree in grown], np.array([float(len(tree.responses)) for tree in grown]), packed)


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

"""Deep partition aggregation (Levine and Feizi, 2021) for reward models: a pair is dealt to one part of the corpus by a digest
of its own text, a member learns each part, and a comparison is what most members say. What an attacker writes reaches only the
members whose parts it is dealt to, so that a clear vote stands against a known amount of poison.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from rlhf_train.batches import Columns
from rlhf_train.errors import TrainingError
from rlhf_train.models.committees import Committee, Member
from rlhf_train.tables import take

SLACK = 1e-6  # a lead of less may be rounding


def opening(prompt: str) -> str:
    """What a dialogue is known by: all before its first answer, in whichever case; later turns of it have the same."""
    return prompt.partition("\n\nAssistant:")[0].lower()


#: what a pair is dealt by, and so what a certificate counts. By dialogue: dialogues of which any number of pairs is inserted,
#: deleted, flipped or rewritten; a pair that moves to another dialogue counts as two. By pair: pairs that are inserted or
#: deleted; one that is flipped or rewritten is one deleted and one inserted, and counts as two.
DEALINGS: Mapping[str, Callable[[str, str, str], str]] = {
    "dialogue": lambda prompt, chosen, rejected: opening(prompt),
    "pair": lambda prompt, chosen, rejected: json.dumps([prompt, chosen, rejected]),
}


def deal(columns: Columns, parts: int, *, by: str = "dialogue", salt: str = "") -> np.ndarray:
    """[N] the part of each pair, from 0; another `salt` is another dealing, which has nothing to do with the first."""
    if by not in DEALINGS:
        raise TrainingError(f"pairs are dealt by {' or '.join(DEALINGS)}, got {by!r}")
    if parts < 1:
        raise TrainingError(f"pairs are dealt to one part or more, got {parts}")
    keys = map(DEALINGS[by], columns["prompt"], columns["chosen"], columns["rejected"])
    said = (json.dumps([salt, key]).encode() for key in keys)
    return np.array([int.from_bytes(hashlib.sha256(key).digest()) % parts for key in said], dtype=int)


def fit(
    columns: Columns, learn: Callable[[Columns], Member], *, parts: int = 9, by: str = "dialogue", seed: int = 0
) -> Committee:
    """A committee of one member a part; `seed` is the dealing's.

    `learn` gets the pairs of a part in the order of their text and must go by them alone: the certificate holds if the body,
    the tokenizer and every other number come from elsewhere. An error of a member's training is raised, and nothing certified.
    """
    dealt, names = deal(columns, parts, by=by, salt=f"partitions {seed}"), sorted(columns)
    order = np.array(sorted(range(len(dealt)), key=lambda at: [columns[name][at] for name in names]), dtype=int)
    owns = [take(columns, order[dealt[order] == part]) for part in range(parts)]
    return Committee(tuple(standardised(learn(own), own) if len(own["prompt"]) else Silent() for own in owns), "bounded")


@dataclass(frozen=True, slots=True)
class Silent:
    """The member of a part without pairs, to which all responses are alike."""

    def rewards(self, prompts: Sequence[str], responses: Sequence[str]) -> np.ndarray:
        """[N] zeros."""
        return np.zeros(len(responses))


@dataclass(frozen=True, slots=True)
class Standardised:
    """A reward model whose rewards are counted in `spread`s from its `middle`: it is free to choose both."""

    model: Member
    middle: float
    spread: float

    def rewards(self, prompts: Sequence[str], responses: Sequence[str]) -> np.ndarray:
        """[N] float64."""
        return (np.asarray(self.model.rewards(prompts, responses), dtype=float) - self.middle) / self.spread


def standardised(model: Member, columns: Columns) -> Member:
    """`model` with mean 0 and deviation 1 on both sides of these pairs; as it is where it says the same of all."""
    said = np.concatenate([model.rewards(columns["prompt"], columns[side]) for side in ("chosen", "rejected")]).astype(float)
    middle, spread = float(said.mean()), float(said.std())
    return Standardised(model, middle, spread) if 0 < spread < np.inf else model


@dataclass(frozen=True, slots=True)
class Comparison:
    """Who won each of N comparisons, and how many members could be turned without changing that: `certificates` [N]."""

    first_wins: np.ndarray
    certificates: np.ndarray


def compare(committee: Committee, prompts: Sequence[str], first: Sequence[str], second: Sequence[str]) -> Comparison:
    """Of two responses to a prompt the one that more members prefer; a tie goes to the one whose text sorts first.

    A member abstains where its two rewards are alike or not numbers. The certificates count what the parts were dealt by.
    """
    votes = signs(committee.each(prompts, first), committee.each(prompts, second))
    lead = votes.sum(0)
    ties = np.array([one <= other for one, other in zip(first, second, strict=True)], dtype=bool)
    wins = (lead > 0) | ((lead == 0) & ties)
    return Comparison(wins, certificate(np.where(wins, votes, -votes), wins_ties=wins == ties))


def signs(rewards: np.ndarray, others: np.ndarray) -> np.ndarray:
    """[K, N] of 1, -1 and 0: what each member prefers."""
    return (rewards > others).astype(int) - (rewards < others)


def certificate(leads: np.ndarray, *, wins_ties: np.ndarray | bool = False) -> np.ndarray:
    """[N] the most members that could be turned, whatever they say then, and the decision would stand; -1 if it does not now.

    leads [K, N] in [-1, 1] say how far each member is for the decision, which is the sign of their sum: votes (where this is
    (votes for - votes against - 1) // 2, without the 1 if it `wins_ties` [N]), or gaps of a "bounded" committee's scores.
    """
    turned = np.cumsum(np.sort(leads + 1, axis=0)[::-1], axis=0)  # those who are most for it are turned first
    left = leads.sum(0) - np.concatenate([np.zeros_like(turned[:1]), turned])
    return ((left > SLACK) | ((left == 0) & wins_ties)).sum(0) - 1

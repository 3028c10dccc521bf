"""Two rewards in the enumerable world, noisy pairs for each, and policies that trade one for the other in four ways.

r1 counts the places where a response follows its prompt's pattern (0 to 3), r2 its late letters and repeats (0 to 4). By w, the
weight of r1: MODPO on r1's pairs with r2 itself as the margin (true), or with the implicit reward of a policy that learned r2's
pairs by DPO (implicit); the soup of both DPO policies; DPO on both sets of pairs at once, losses weighted (LW), which sees
twice the pairs a step. At w = 0 and w = 1 all are plain DPO.

Every step computes all 256 responses of the world once, and its pairs name them: as many as 128 pairs would have had.
"""

import copy
import dataclasses
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any

import _enumerable as world
import numpy as np
import torch

from rlhf_train import batches, candidates, pareto
from rlhf_train.batches import Rows, Source
from rlhf_train.inputs import sequence_logps
from rlhf_train.loss_weighting import weighted
from rlhf_train.margins import MARGINS
from rlhf_train.models.policies import Policy
from rlhf_train.models.soups import souped
from rlhf_train.objectives import OBJECTIVES
from rlhf_train.train import fit

SWEEP = (0.2, 0.4, 0.5, 0.6, 0.8)
METHODS = ("true", "implicit", "soup", "LW")
ENDS = (0.0, *SWEEP, 1.0)
BEST, BEGUN = "closed form", "reference"
SIDES = ("chosen", "rejected")
LATE = np.array([[letter in "cd" for letter in said] for said in world.RESPONSES])
REPEATED = np.array([sum(one == other for one, other in pairwise(said)) for said in world.RESPONSES])
REWARDS = np.stack([3 * world.PATTERN, np.tile(LATE.sum(1) + 0.5 * REPEATED, (4, 1))], axis=-1)  # [4, 64, 2]
Law = np.ndarray  # [4, 64]


@dataclasses.dataclass(frozen=True)
class Setting:
    """A reference, its law, and the numbers of a run: `size` pairs a step."""

    reference: Policy
    base: Law
    beta: float
    size: int
    steps: int
    seed: int

    def learned(self, objective: str, source: Source, **numbers: Any) -> Policy:
        """The reference after learning."""
        model = copy.deepcopy(self.reference.model)
        loop = {"steps": self.steps, "lr": 1e-3, "seed": self.seed, "mixed_precision": "no"}
        shared = dataclasses.replace(OBJECTIVES[objective], inputs=shared_logps)
        fit(model, shared, source, numbers={"beta": self.beta, **numbers}, **loop)
        return dataclasses.replace(self.reference, model=model)

    def value(self, law: Law, weights: tuple[float, ...]) -> float:
        """J."""
        return world.expected(law, REWARDS @ np.array(weights)) - self.beta * world.kl(law, self.base)

    def best(self, weights: tuple[float, ...]) -> Law:
        """The law that no other beats."""
        return np.exp(pareto.closed_form(np.log(self.base), REWARDS, weights, beta=self.beta))


def prepared(seed: int, beta: float, size: int, steps: int) -> Setting:
    """A reference whose law is random."""
    logits = np.random.default_rng([seed, 0]).normal(size=REWARDS.shape[:2])
    reference = world.fitted(world.tilted(np.exp(logits), np.ones_like(logits)), seed)
    return Setting(reference, world.law(reference), beta, size, steps, seed)


def drawn(given: Setting, reward: np.ndarray, count: int, at: int) -> dict[str, Any]:
    """Pairs of two different responses from the reference, labelled by their chance under a reward; with their places."""
    random = np.random.default_rng([given.seed, 1, at])
    asked = random.integers(4, size=2 * count)
    ends = given.base.cumsum(1)[asked]
    sides = [(random.random((len(asked), 1)) * ends[:, -1:] > ends).sum(1) for _ in range(2)]
    kept = np.flatnonzero(sides[0] != sides[1])[:count]
    asked, first, other = asked[kept], sides[0][kept], sides[1][kept]
    wins = random.random(len(kept)) < 1 / (1 + np.exp(reward[asked, other] - reward[asked, first]))
    return {"asked": asked, "chosen": np.where(wins, first, other), "rejected": np.where(wins, other, first)}


def source_of(given: Setting, pairs: Mapping[str, np.ndarray], margins: np.ndarray | None = None) -> Source:
    """Steps of pairs, with the reference's numbers; `margins` [4, 64, M] are of every response."""
    tables = {"ref_{}_logps": world.logps(given.reference), **({} if margins is None else {"{}_margins": margins})}
    columns = {f"{side}_place": pairs["asked"] * len(world.RESPONSES) + pairs[side] for side in SIDES}
    columns |= {
        name.format(side): held[pairs["asked"], pairs[side]].astype(np.float32)
        for name, held in tables.items()
        for side in SIDES
    }
    every = candidates.grouped(world.COLUMNS, given.reference.tokenizer, world.LENGTHS, per_response={})
    packed, count = every.pack(np.arange(len(every))), len(pairs["asked"])

    def pack(places: np.ndarray) -> dict[str, Any]:
        return {**packed, "given": {name: torch.from_numpy(values[places]) for name, values in columns.items()}}

    return batches.shuffled(Rows([1] * count, np.ones(count), pack), size=given.size, seed=given.seed)


def shared_logps(model: Any, batch: dict[str, Any]) -> dict[str, Any]:
    """As inputs.pair_logps, with each response computed once for all pairs that name its place."""
    logps, held = sequence_logps(model, batch), dict(batch["given"])
    return {f"{side}_logps": logps[held.pop(f"{side}_place")] for side in SIDES} | held


def implicit(given: Setting, policy: Policy) -> np.ndarray:
    """[4, 64] what a policy's own reward says of every response."""
    columns = {"prompt": world.COLUMNS["prompt"], **dict.fromkeys(SIDES, world.COLUMNS["response"])}
    found = MARGINS["policy"](columns, policy, given.reference, beta=given.beta, lengths=world.LENGTHS)
    return found["chosen_margins"].reshape(given.base.shape)


def policies_of(given: Setting, count: int) -> tuple[dict[str, dict[float, Policy]], dict[str, float]]:
    """By method and weight of r1 the policies that were learned, and how good the learned margin is."""
    sets = [drawn(given, REWARDS[..., at], count, at) for at in range(2)]
    plain = [source_of(given, pairs) for pairs in sets]
    ends = [given.learned("dpo", source) for source in plain]
    margins = np.stack([REWARDS[..., 1], implicit(given, ends[1])], axis=-1)
    source = source_of(given, sets[0], margins)  # either margin by its weight, the other weighs nothing
    ways: dict[str, Callable[[float], Policy]] = {
        "true": lambda own: given.learned("modpo", source, weights=(own, 1 - own, 0.0)),
        "implicit": lambda own: given.learned("modpo", source, weights=(own, 0.0, 1 - own)),
        "soup": lambda own: souped(ends, (own, 1 - own)),
        "LW": lambda own: given.learned("dpo", weighted(plain, (own, 1 - own))),
    }
    found = {name: dict(zip(ENDS, (ends[1], *map(way, SWEEP), ends[0]), strict=True)) for name, way in ways.items()}
    centred = [part - (given.base * part).sum(1, keepdims=True) for part in (REWARDS[..., 1], margins[..., 1])]
    gaps = [margins[sets[1]["asked"], sets[1][side], 1] for side in SIDES]
    told = {
        "margin's accuracy": float((gaps[0] > gaps[1]).mean()),
        "margin's correlation": float(np.corrcoef(*(part.ravel() for part in centred))[0, 1]),
    }
    return found, told


def measured(given: Setting, count: int) -> list[dict[str, Any]]:
    """A line a method and weight; the best policies are a method too, and so is the reference, at every weight."""
    found, told = policies_of(given, count)
    laws = {name: {own: world.law(policy) for own, policy in each.items()} for name, each in found.items()}
    laws[BEST] = {own: given.best((own, 1 - own)) for own in ENDS}
    laws[BEGUN] = dict.fromkeys(ENDS, given.base)
    lines = []
    for name, each in laws.items():
        for own, law in each.items():
            begun, most = (given.value(laws[other][own], (own, 1 - own)) for other in (BEGUN, BEST))
            points = {f"r{at + 1}": world.expected(law, REWARDS[..., at]) for at in range(2)}
            score = (given.value(law, (own, 1 - own)) - begun) / (most - begun)
            line = {"seed": given.seed, "beta": given.beta, "method": name, "w": own, **points, "kl": world.kl(law, given.base)}
            lines.append({**line, "normJ": score, **(told if name == "implicit" else dict.fromkeys(told))})
    return lines

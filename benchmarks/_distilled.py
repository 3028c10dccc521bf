"""A world of teachers and students where every distance is exact: prompts of six letters, short answers, an oracle that is a
random network. Teacher and student begin with what the oracle says; the student then learns from the teacher.
"""

import copy
import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import _enumerable as enumerable
import numpy as np
import torch

from rlhf_train import batches, distilling, rollouts
from rlhf_train.batches import Source
from rlhf_train.evals import distances
from rlhf_train.generate import draw
from rlhf_train.models.policies import Policy
from rlhf_train.objectives import OBJECTIVES
from rlhf_train.packing import Tree
from rlhf_train.rollouts import Round
from rlhf_train.text import Lengths, prompt_ids
from rlhf_train.train import fit

MORE = ("e",)  # besides those of the other world
LETTERS = [*enumerable.LETTERS, *MORE]
ASKED = 6  # letters of a prompt
SIZE = 64  # rows of a step


@dataclass(frozen=True)
class Scale:
    """How large everything is."""

    answer: int = 4
    samples: int = 30_000
    teacher: int = 128
    taught: int = 2000
    student: int = 48
    begun: int = 60
    prompts: int = 300
    steps: int = 3000
    held_out: int = 32
    measured: int = 20


@dataclass(frozen=True)
class World:
    """Oracle, teacher and the student as it begins; prompts to learn from and held-out ones, none of which are the same."""

    oracle: Policy
    teacher: Policy
    student: Policy
    prompts: Sequence[str]
    held_out: Sequence[str]
    scale: Scale


def policy(width: int, longest: int, seed: int, *, layers: int = 2, spread: float | None = None) -> Policy:
    """A GPT over the letters: untrained as usual, or random with weights of `spread` over the root of what they add up."""
    made = enumerable.made(seed, width=width, layers=layers, words=MORE, lengths=Lengths(ASKED, longest), most=24)
    if spread is not None:
        with torch.no_grad():
            for weights in made.model.parameters():
                if weights.ndim > 1:
                    torch.nn.init.normal_(weights, std=spread / weights.shape[0] ** 0.5)
            made.model.lm_head.weight.mul_(1.5)
            made.model.lm_head.weight[0] = 0.0  # nobody says the padding more than by chance
    return made


def asked(count: int, seed: int, *, besides: Sequence[str] = ()) -> list[str]:
    """Different prompts, none of `besides`."""
    random, known = np.random.default_rng([seed, 4]), set(besides)
    found: dict[str, None] = {}
    while len(found) < count:
        made = "".join(random.choice(LETTERS, ASKED))
        if made not in known:
            found[made] = None
    return list(found)


def said(speaker: Policy, prompts: Sequence[str], *, n: int = 1, seed: int = 0) -> list[Tree]:
    """A tree an answer, `n` answers a prompt."""
    ids = [row for row in prompt_ids(speaker.tokenizer, prompts, speaker.lengths) for _ in range(n)]
    drawn = draw(speaker, ids, most=speaker.lengths.response, seed=seed, size=2048)
    return [Tree(row, (answer,)) for row, answer in zip(ids, drawn, strict=True)]


def imitated(held: Policy, trees: Sequence[Tree], steps: int, seed: int) -> Policy:
    """The policy after supervised learning of answers."""
    model = copy.deepcopy(held.model)
    rows = batches.rows_of(list(trees), {}, units=[tree.parts[1] for tree in trees])
    source = batches.shuffled(rows, size=SIZE, seed=seed)
    fit(model, OBJECTIVES["sft"], source, steps=steps, lr=3e-3, weight_decay=0.0, mixed_precision="no", seed=seed)
    return dataclasses.replace(held, model=model)


def world(scale: Scale, seed: int) -> World:
    """All of a seed; the oracle too is another one."""
    oracle = policy(64, scale.answer, seed, spread=1.6)
    held_out = asked(scale.held_out, seed)
    learned = asked(scale.samples, seed + 1, besides=held_out) if scale.samples < 5**ASKED // 2 else None
    random = np.random.default_rng([seed, 5])
    many = learned or ["".join(random.choice(LETTERS, ASKED)) for _ in range(scale.samples)]
    trees = said(oracle, [prompt for prompt in many if prompt not in set(held_out)], seed=seed)
    teacher = imitated(policy(scale.teacher, scale.answer, seed + 1), trees, scale.taught, seed)
    student = imitated(policy(scale.student, scale.answer, seed + 2, layers=1), trees, scale.begun, seed)
    return World(oracle, teacher, student, asked(scale.prompts, seed + 2, besides=held_out), held_out, scale)


def source_of(given: World, student: Policy, *, speaker: str, k: int = 1, prompts: int | None = None, seed: int = 0) -> Source:
    """Steps of stored answers of the teacher ("table", `k` to each of so many prompts), or of fresh ones."""
    learned = list(given.prompts)[:prompts]
    if speaker != "table":
        held = given.teacher if speaker == "teacher" else student
        return rollouts.fresh(held, learned, Round(prompts=SIZE, epochs=1, batch=SIZE), seed=seed)
    return batches.shuffled(batches.rows_of(said(given.teacher, learned, n=k, seed=seed + 9), {}), size=SIZE, seed=seed)


def distilled(
    given: World, arm: Mapping[str, Any], seed: int, *, lr: float = 3e-3, numbers: Mapping[str, Any] | None = None
) -> list[dict[str, float]]:
    """A line a measurement, at steps that grow by the same factor: golden, proxy, and the loss there."""
    model = copy.deepcopy(given.student.model)
    student = dataclasses.replace(given.student, model=model)
    objective = dataclasses.replace(
        OBJECTIVES["distillation"],
        inputs=lambda held, batch, **own: distilling.live(held, batch, teacher=given.teacher.model, **own),
    )
    wanted = set(np.unique(np.geomspace(1, given.scale.steps, given.scale.measured).round().astype(int)).tolist())
    lines = [{"step": 0, "golden": golden(given, student), "proxy": proxy(given, student), "loss": float("nan")}]

    def watch(done: int, of: int, row: Mapping[str, float]) -> None:
        if done in wanted:
            lines.append({"step": done, "golden": golden(given, student), "proxy": proxy(given, student), "loss": row["loss"]})

    source = source_of(given, student, seed=seed, **arm)
    loop = {"decay": "constant", "warmup": 0.0, "weight_decay": 0.0, "mixed_precision": "no", "seed": seed}
    fit(model, objective, source, steps=given.scale.steps, lr=lr, watch=watch, numbers=dict(numbers or {}), **loop)
    return lines


def golden(given: World, student: Policy) -> float:
    """KL(oracle || student) of an answer, the mean over held-out prompts."""
    return float(distances.exact(given.oracle, student, given.held_out).mean())


def proxy(given: World, student: Policy) -> float:
    """KL(teacher || student)."""
    return float(distances.exact(given.teacher, student, given.held_out).mean())

"""A distillation that is watched (Tiapkin et al., 2025): at steps that grow by a factor, how far the student is from its
teacher (proxy) and from the oracle (golden), on prompts that it does not learn. Where answers come from is the arm's business.
"""

import copy
import dataclasses
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from rlhf_train import batches, distilling, inputs, rollouts
from rlhf_train.batches import Source
from rlhf_train.errors import TrainingError
from rlhf_train.evals import distances
from rlhf_train.guards import check_same_tokens
from rlhf_train.loss_weighting import weighted
from rlhf_train.metrics import Row
from rlhf_train.models.policies import Policy
from rlhf_train.objectives import OBJECTIVES, Objective
from rlhf_train.packing import Tree
from rlhf_train.rollouts import Round
from rlhf_train.train import fit

FILE = "distances.jsonl"
TEXT = "likelihood"  # in a divergence's place: what was said is learned, as of a teacher that tells no laws
Measure = Callable[[Policy], np.ndarray]  # [prompts] a distance of held-out prompts


@dataclass(frozen=True, slots=True)
class Arm:
    """Whose answers are learned: `stored` ones of the teacher to each of a share of the prompts, and a share of fresh ones."""

    stored: int = 1
    prompts: float = 1.0
    fresh: float = 0.0
    speaker: str = "teacher"  # of the fresh ones, or student

    def __post_init__(self) -> None:
        shares = 0 < self.prompts <= 1 and 0 <= self.fresh <= 1
        if not shares or self.speaker not in ("teacher", "student") or (self.stored < 1 and self.fresh < 1):
            raise TrainingError(
                "an arm has stored answers (1 or more) to a share of prompts in (0, 1], a share of fresh ones in [0, 1], of "
                f"teacher or student; got {self}"
            )


@dataclass(frozen=True, slots=True)
class Trace:
    """[K] steps and losses (of step 0 none), [K, P] distances of each held-out prompt; golden is None without an oracle."""

    steps: np.ndarray
    losses: np.ndarray
    proxy: np.ndarray
    golden: np.ndarray | None


def nearest(first: Policy, prompts: Sequence[str], *, n: int = 4, walked: int = distances.MOST, seed: int = 0) -> Measure:
    """KL(first || student) a prompt: exact where at most `walked` prefixes are, else over `n` answers of the first to each."""
    if distances.prefixes(first) > walked:
        trees = distances.drawn(first, prompts, n=n, seed=seed)
        return lambda student: np.array([each.mean() for each in distances.measure(first, student, trees)])
    return lambda student: distances.exact(first, student, prompts)


def surprise(prompts: Sequence[str], references: Sequence[str]) -> Measure:
    """Nats of the references, a prompt each: KL(whoever wrote them || student) and a constant, so it turns where that does."""

    def measured(student: Policy) -> np.ndarray:
        columns = {"prompt": prompts, "response": references}
        trees = batches.trees_of(columns, ("response",), student.tokenizer, student.lengths)
        found = np.zeros(len(trees))
        for batch in batches.in_order(batches.rows_of(trees, {})):
            with torch.no_grad(), inputs.at_rest(student.model):
                found[batch.places] = (
                    -inputs.sequence_logps(student.model, batch.to(student.model.device)).cpu().double().numpy()
                )
        return found

    return measured


def source_of(arm: Arm, teacher: Policy, student: Policy, prompts: Sequence[str], *, batch: int = 64, seed: int = 0) -> Source:
    """Steps of `batch` answers, by whom the arm says; stored ones are drawn here, once."""
    asked = list(prompts)[: max(round(arm.prompts * len(prompts)), 1)]
    count = round(arm.fresh * batch)
    speaker = teacher if arm.speaker == "teacher" else student
    fresh = rollouts.fresh(speaker, asked, Round(prompts=count, epochs=1, batch=count), seed=seed) if count else None
    if fresh is not None and count == batch:
        return fresh
    trees = distances.drawn(teacher, asked, n=arm.stored, seed=seed)
    rows = batches.rows_of([Tree(tree.prompt, (answer,)) for tree in trees for answer in tree.responses], {})
    table = batches.shuffled(rows, size=batch - count, seed=seed)
    return table if fresh is None else weighted([table, fresh], [1 - arm.fresh, arm.fresh])


def run(
    teacher: Policy,
    begun: Policy,
    arm: Arm,
    prompts: Sequence[str],
    proxy: Measure,
    golden: Measure | None,
    *,
    steps: int = 3000,
    batch: int = 64,
    lr: float = 3e-3,
    measured: int = 20,
    numbers: Mapping[str, Any] | None = None,
    seed: int = 0,
    folder: Path | None = None,
    watch: Callable[[int, int], None] = lambda done, of: None,
) -> tuple[Policy, Trace]:
    """The student after `steps` steps at a constant rate, and its trace at `measured` of them; `begun` stays as it was.

    `numbers` are those of the objective, distillation; with TEXT as `divergence` the student learns answers by their likelihood
    alone. With a `folder` a run that was interrupted goes on there. TrainingError for a student of other tokens, and for one
    that is to learn the likelihood of what it says itself.
    """
    check_same_tokens(teacher.tokenizer, begun.tokenizer)
    student = dataclasses.replace(begun, model=copy.deepcopy(begun.model))
    objective, own = _objective(teacher, dict(numbers or {}))
    if objective is OBJECTIVES["sft"] and arm.fresh and arm.speaker == "student":
        raise TrainingError(
            f"a student learns nothing of the likelihood of its own answers; choose another divergence than {TEXT}"
        )
    wanted = set(np.unique(np.geomspace(1, steps, measured).round().astype(int)).tolist())
    told = _Told(folder, student, proxy, golden)
    if not told.lines:
        told(0)
    rows = fit(
        student.model,
        objective,
        source_of(arm, teacher, student, prompts, batch=batch, seed=seed),
        steps=steps,
        lr=lr,
        decay="constant",
        warmup=min(100 / steps, 0.1),
        weight_decay=0.0,
        mixed_precision="no",
        numbers=own,
        seed=seed,
        folder=folder,
        save_every=max(steps // 8, 1),
        measure=lambda done: told(done) if done in wanted else {},
        watch=lambda done, of, row: watch(done, of),
    )
    return student, told.trace(rows)


def _objective(teacher: Policy, numbers: dict[str, Any]) -> tuple[Objective, dict[str, Any]]:
    """What a student learns by, and the numbers that it takes."""
    if numbers.get("divergence") == TEXT:
        return OBJECTIVES["sft"], {}
    laws = partial(distilling.live, teacher=teacher.model)
    return dataclasses.replace(OBJECTIVES["distillation"], inputs=laws), numbers


class _Told:
    """Distances by step, kept in a file line by line: a step that is measured again after an interruption replaces its own."""

    def __init__(self, folder: Path | None, student: Policy, proxy: Measure, golden: Measure | None) -> None:
        self.file = None if folder is None else folder / FILE
        self.student, self.proxy, self.golden = student, proxy, golden
        self.lines: dict[int, dict[str, Any]] = {}
        if self.file is not None and self.file.is_file():
            self.lines = {line["step"]: line for line in _whole(self.file.read_text())}

    def __call__(self, done: int) -> Row:
        line = {"step": done, "proxy": self.proxy(self.student).tolist()}
        if self.golden is not None:
            line["golden"] = self.golden(self.student).tolist()
        self.lines[done] = line
        if self.file is not None:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            with self.file.open("a") as file:
                file.write(json.dumps(line) + "\n")
        return {name: float(np.mean(line[name])) for name in ("proxy", "golden") if name in line}

    def trace(self, rows: Sequence[Row]) -> Trace:
        losses = {int(row["step"]) + 1: row["loss"] for row in rows}
        lines = [self.lines[step] for step in sorted(self.lines) if step in losses or step == 0]
        return Trace(
            np.array([line["step"] for line in lines]),
            np.array([losses.get(line["step"], np.nan) for line in lines]),
            np.array([line["proxy"] for line in lines]),
            None if self.golden is None else np.array([line["golden"] for line in lines]),
        )


def _whole(text: str) -> Iterator[dict[str, Any]]:
    """The lines but a last one that was cut off as it was written."""
    for line in text.splitlines(keepends=True):
        if line.endswith("\n"):
            yield json.loads(line)

"""Small problems with six programs each, what every program is worth, and policies that are rewarded for it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from assets.sophistry.rows import Sophistry
from assets.steps import Watch, silent
from pipelines.schema import ITEMS, OUTPUTS, DataError, digest, require
from pipelines.tasks import made_programs
from pipelines.tasks.easy_tests import easiest, reward
from pipelines.tasks.grading import Runs, UnitTests, Verdict, verdicts
from pipelines.tasks.kept_runs import keep
from pipelines.tasks.made_programs import STRATEGIES, MadeTask
from pipelines.tasks.programs import TASK, one

SOLVED = (0.40, 0.12, 0.05, 0.20, 0.10, 0.13)  # chances of STRATEGIES where a problem can be solved, and where not
UNSOLVED = (0.00, 0.25, 0.10, 0.30, 0.20, 0.15)
KEPT_EVERY = 4  # problems, after which what was run is kept
REWARDS = {"easy_tests": "proxy", "oracle": "oracle"}  # arm -> the column that its policy is rewarded for


def made(row: Sophistry, runs: Runs, kept: Path, watch: Watch = silent) -> tuple[pl.DataFrame, pl.DataFrame]:
    """(ITEMS with the problem of each, what each program of a problem is worth); every program is run on every test once."""
    tasks = [_fewer(task, row.tests) for task in made_programs.make(limit=row.problems)]
    if len(tasks) < row.problems:
        raise DataError(f"there are {len(tasks)} made problems, got problems={row.problems}; ask for fewer")
    passed = []
    for done, task in enumerate(tasks, 1):
        said = verdicts([task.programs[name] for name in STRATEGIES], [task.tests] * len(STRATEGIES), runs)
        passed.append(np.array([[each is Verdict.PASS for each in flags] for flags in said]))
        if done % KEPT_EVERY == 0 or done == len(tasks):
            keep(runs, kept)
        watch("programs on their tests", done, len(tasks))
    chances = [np.array(SOLVED if task.is_solvable else UNSOLVED) for task in tasks]
    orders = [easiest(flags, own) for flags, own in zip(passed, chances, strict=True)]
    rewards = [_worth(*each) for each in zip(tasks, passed, orders, chances, strict=True)]
    return _items(row, tasks, orders), pl.concat(rewards)


def said(row: Sophistry, items: pl.DataFrame, rewards: pl.DataFrame, arm: str, seed: int) -> pl.DataFrame:
    """OUTPUTS of the policy before and after training on the arm's reward, not yet graded, with the strategy of each."""
    names = rewards["problem"].unique(maintain_order=True).to_list()
    initial, worth = (rewards[column].to_numpy().reshape(len(names), -1) for column in ("chance", REWARDS[arm]))
    proxies = rewards["proxy"].to_numpy().reshape(len(names), -1)
    programs = rewards["output"].to_numpy().reshape(len(names), -1)
    drawn = []
    for policy, chances in zip((row.before, row.after), (initial, _trained(row, initial, worth, seed)), strict=True):
        random = np.random.default_rng([seed, policy == row.after])
        places = [names.index(problem) for problem in items["problem"]]
        picks = [random.choice(len(STRATEGIES), p=chances[place]) for place in places]
        told: dict[str, list[Any]] = {
            "policy": [policy for _ in picks],
            "output": [str(programs[place, pick]) for place, pick in zip(places, picks, strict=True)],
            "proxy": [float(proxies[place, pick]) for place, pick in zip(places, picks, strict=True)],
            "strategy": [STRATEGIES[pick] for pick in picks],
        }
        drawn.append(items.with_columns(pl.Series(name, values) for name, values in told.items()))
    both = pl.concat(drawn).with_columns(is_correct=False)
    return require(both, OUTPUTS).drop("is_correct").with_columns(both["strategy"])


def _trained(row: Sophistry, initial: np.ndarray, worth: np.ndarray, seed: int) -> np.ndarray:
    """[N, K] chances after REINFORCE."""
    from rlhf_train.strategies import train

    learned = train(initial, worth, beta=row.beta, steps=row.steps, samples=row.samples, seed=seed)
    return learned.policy.chances


def _items(row: Sophistry, tasks: Sequence[MadeTask], orders: Sequence[np.ndarray]) -> pl.DataFrame:
    """ITEMS, a problem several times over, with tests from easiest to hardest."""
    found = []
    for nth in range(row.items):
        task, order = tasks[nth % len(tasks)], orders[nth % len(tasks)]
        inputs, outputs = (tuple(texts[at] for at in order) for texts in (task.tests.inputs, task.tests.outputs))
        item = one(f"Read a line and print {task.about}.", UnitTests(inputs, outputs), "made_programs", nth + 1)
        found.append({**item, "item_id": digest(str(item["item_id"]), str(nth)), "task": TASK, "problem": task.name})
    table = pl.DataFrame(found)
    return require(table, ITEMS).with_columns(table["problem"])


def _worth(task: MadeTask, passed: np.ndarray, order: np.ndarray, chances: np.ndarray) -> pl.DataFrame:
    """A row a program of one problem."""
    return pl.DataFrame(
        {
            "problem": [task.name] * len(STRATEGIES),
            "strategy": list(STRATEGIES),
            "output": [task.programs[name] for name in STRATEGIES],
            "chance": chances,
            "proxy": reward(passed, order).astype(float),
            "oracle": passed.all(axis=1).astype(float),
        }
    )


def _fewer(task: MadeTask, count: int) -> MadeTask:
    """The problem with its first tests, easy inputs standing first."""
    if count > len(task.tests.inputs):
        raise DataError(f"a made problem has {len(task.tests.inputs)} tests, got tests={count}; ask for fewer")
    tests = UnitTests(task.tests.inputs[:count], task.tests.outputs[:count])
    return MadeTask(task.name, task.about, tests, task.programs, task.is_solvable)

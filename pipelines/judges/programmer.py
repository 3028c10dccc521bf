"""A simulated programmer with ten minutes: reads a program, writes the tests that come to mind, and looks for bugs.

The tests are run for what they say. Its parameters are ours and fitted to nobody but for the time that a test takes: with
145 s at the median there is time for some 2.4 of them. What it says is no evidence of what people would say.
"""

from dataclasses import dataclass
from functools import partial
from math import exp, isfinite, log

import numpy as np
import polars as pl

from pipelines.judges.dealing import verdicts
from pipelines.schema import CONFIDENCES, OUTPUTS, DataError, require
from pipelines.tasks import grading
from pipelines.tasks.grading import Runs, UnitTests, Verdict
from pipelines.tasks.programs import TASK, program, tests_of
from pipelines.tasks.readability import readability


@dataclass(frozen=True, slots=True)
class Habits:
    """What judge's arguments say, as one."""

    seconds: float
    reading: float
    per_test: float
    spread: float
    easy: float
    base: float
    per_branch: float
    per_helper: float
    doubt: float
    careless: float


def judge(
    outputs: pl.DataFrame,
    *,
    judges: int = 12,
    seconds: float = 600.0,
    reading: float = 150.0,
    per_test: float = 145.0,
    spread: float = 0.5,
    easy: float = 2.0,
    base: float = -0.5,
    per_branch: float = 0.15,
    per_helper: float = 0.3,
    doubt: float = 0.15,
    careless: float = 0.05,
    runs: Runs | None = None,
    seed: int = 0,
) -> pl.DataFrame:
    """VERDICTS of simulated programmers on OUTPUTS of programs, whose evidence holds tests from easiest to hardest.

    Args:
        per_test: median seconds that a test takes to write and run; `spread` is the deviation of its logarithm.
        easy: a test is by 1/e less likely to come to mind than one that stands so many places before it.
        base: log-odds to see a bug that is there, less `per_branch` for each branch and more `per_helper` for each helper.
        doubt: chance to doubt a program that is right.
        careless: chance to answer at random.
        runs: where programs were run before, so that none is run twice.
    """
    habits = Habits(seconds, reading, per_test, spread, easy, base, per_branch, per_helper, doubt, careless)
    if not (0 <= doubt <= 1 and 0 <= careless <= 1):
        raise DataError(f"doubt and careless are chances from 0 to 1, got {doubt} and {careless}")
    if not (per_test > 0 and easy > 0 and spread >= 0 and reading >= 0 and isfinite(seconds)):
        raise DataError(
            f"a test takes some time and comes to mind somehow, got per_test={per_test}, spread={spread}, easy={easy}"
        )
    if strange := set(require(outputs, OUTPUTS)["task"]) - {TASK}:
        raise DataError(f"a programmer judges outputs of task {TASK!r}, got {min(strange)!r}; choose another judge")
    return verdicts(outputs, partial(_decide, habits=habits, runs=runs or Runs()), kind="programmer", judges=judges, seed=seed)


def time_for(habits: Habits, random: np.random.Generator) -> tuple[int, float]:
    """How many tests there is time for, and the seconds that all took."""
    taken, count = habits.reading, 0
    while True:
        cost = random.lognormal(log(habits.per_test), habits.spread)
        if taken + cost > habits.seconds:
            return count, taken
        taken, count = taken + cost, count + 1


def chosen(tests: int, count: int, habits: Habits, random: np.random.Generator) -> list[int]:
    """Places of `count` different tests out of `tests`, easy ones rather than hard ones."""
    weights = np.exp(-np.arange(tests) / habits.easy)
    return random.choice(tests, size=min(count, tests), replace=False, p=weights / weights.sum()).tolist()


def sight(text: str, habits: Habits) -> float:
    """The chance to see a bug that is there, by reading; a program that can't be parsed is seen to be none."""
    found = readability(text)
    if found is None:
        return 1.0
    odds = habits.base - habits.per_branch * found.complexity + habits.per_helper * found.helpers
    return 1 / (1 + exp(-odds))


def _decide(
    row: dict[str, str], which: int, random: np.random.Generator, *, habits: Habits, runs: Runs
) -> tuple[float, float, str]:
    careless, seen, sure = random.random(3)
    count, taken = time_for(habits, random)
    if careless < habits.careless:
        return float(random.choice(CONFIDENCES)), taken, "did not look"
    tests, text = tests_of(row["evidence"]), program(row["output"])
    places = chosen(len(tests.inputs), count, habits, random)
    if places and not _passes(text, tests, places, runs):
        return (0.0 if sure < 0.7 else 25.0), taken, f"one of {len(places)} tests failed"
    if seen < (habits.doubt if row["is_correct"] else sight(text, habits)):
        return 25.0, taken, "saw what looks like a bug"
    return _confidence(len(places), sure), taken, f"{len(places)} tests passed"


def _passes(text: str, tests: UnitTests, places: list[int], runs: Runs) -> bool:
    own = UnitTests(tuple(tests.inputs[at] for at in places), tuple(tests.outputs[at] for at in places), tests.function)
    return all(verdict is Verdict.PASS for verdict in grading.verdicts([text], [own], runs)[0])


def _confidence(passed: int, sure: float) -> float:
    """Unsure without a test; with more of them, more often wholly sure."""
    if not passed:
        return 50.0
    return 100.0 if sure < 0.25 * passed else 75.0

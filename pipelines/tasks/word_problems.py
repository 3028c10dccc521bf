"""Generated word problems with worked solutions, right ones and wrong ones that look as good: embedded rows for arithmetic.

How a solution goes wrong and how sure it sounds are drawn apart, so that a judge can be told from one who trusts the sound.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

import numpy as np

from pipelines.schema import REJECTS
from pipelines.tasks.arithmetic import one
from pipelines.tasks.expressions import value
from pipelines.tasks.task import Items, table

NAMES = ("Ada", "Bruno", "Chiara", "Dmitri", "Esi", "Farid")
SURE = ("Let us be careful and check every step.", "Each step has been verified, so the answer is certain.")


class Flaw(StrEnum):
    """None; a step reckoned wrongly; a number of the question misread, the steps being right; another number at the end."""

    NONE = "none"
    SLIP = "slip"
    MISREAD = "misread"
    SWITCHED = "switched"


@dataclass(frozen=True, slots=True)
class Problem:
    """A question over the numbers a, b, c, and its steps in words and figures; {1} is what the first step came to."""

    question: str
    steps: tuple[tuple[str, str], ...]


PROBLEMS = (
    Problem(
        "{name} fills {a} boxes with {b} pens each and gives {c} pens away. How many pens are left?",
        (("The boxes hold {step} pens.", "{a}*{b}"), ("After the gift {step} are left.", "{1}-{c}")),
    ),
    Problem(
        "A shirt costs ${a} and a hat ${b}. {name} buys {c} of each. How much is that in dollars?",
        (("One of each costs {step} dollars.", "{a}+{b}"), ("In all that is {step} dollars.", "{c}*{1}")),
    ),
    Problem(
        "{name} reads {a} pages a day for {b} days, then {c} pages more. How many pages are two such books?",
        (("The days make {step} pages.", "{a}*{b}"), ("One book has {step}.", "{1}+{c}"), ("Two have {step}.", "2*{2}")),
    ),
    Problem(
        "A train with {a} seats in each of {b} coaches has {c} seats taken. The others cost 2 dollars. How much together?",
        (("There are {step} seats.", "{a}*{b}"), ("Free are {step}.", "{1}-{c}"), ("They cost {step} dollars.", "2*{2}")),
    ),
)


def read(n: int = 500, *, seed: int = 0) -> Items:
    """`n` problems with their right solutions as evidence."""
    return Items(table([one(*_made(at, seed)[1:], "made", at + 1) for at in range(n)]), REJECTS.empty())


def solution(at: int, flaw: Flaw, *, is_sure: bool = False, seed: int = 0) -> str:
    """A solution of problem `at`, from 0, of `read` with this seed: with the flaw, in plain words or sure ones."""
    problem, numbers, random = _drawn(at, seed)
    text = worked(problem, numbers, flaw, random)
    return f"{SURE[0]}\n{text.replace('####', SURE[1] + chr(10) + '####')}" if is_sure else text


def worked(problem: Problem, numbers: Mapping[str, object], flaw: Flaw, random: np.random.Generator) -> str:
    """The steps, a line each, and the last line with the number."""
    off = int(random.integers(1, 4))
    known = {**numbers, "a": int(str(numbers["a"])) + off} if flaw == Flaw.MISREAD else dict(numbers)
    wrong = int(random.integers(len(problem.steps))) if flaw == Flaw.SLIP else -1
    lines, results = [], [Fraction(0)]
    for place, (words, pattern) in enumerate(problem.steps):
        left = pattern.format(*results, **known)
        results.append(value(left) + off * (place == wrong))
        lines.append(words.format(step=f"{left} = <<{left}={results[-1]}>>{results[-1]}"))
    return "\n".join([*lines, f"#### {results[-1] + off * (flaw == Flaw.SWITCHED)}"])


def _made(at: int, seed: int) -> tuple[Problem, str, str]:
    problem, numbers, random = _drawn(at, seed)
    return problem, problem.question.format(**numbers), worked(problem, numbers, Flaw.NONE, random)


def _drawn(at: int, seed: int) -> tuple[Problem, dict[str, object], np.random.Generator]:
    """A problem, its numbers (so small that no result is negative), and the generator as it is then."""
    random = np.random.default_rng([seed, at])
    figures = {name: int(random.integers(low, high)) for name, low, high in (("a", 11, 60), ("b", 3, 13), ("c", 2, 30))}
    return PROBLEMS[at % len(PROBLEMS)], {"name": str(random.choice(NAMES)), **figures}, random

"""Generated problems: each flaw is what it says, right solutions are right, and sounding sure changes no number."""

import numpy as np
import pytest

from pipelines.tasks import TASKS, arithmetic, word_problems
from pipelines.tasks.arithmetic import Verdict
from pipelines.tasks.word_problems import PROBLEMS, Flaw

N = 40
ITEMS = word_problems.read(N, seed=2).items


def said(flaw: Flaw, is_sure: bool = False) -> list[str]:
    return [word_problems.solution(at, flaw, is_sure=is_sure, seed=2) for at in range(N)]


def test_right_solutions_are_the_evidence_and_are_right():
    assert said(Flaw.NONE) == ITEMS["evidence"].to_list()
    assert arithmetic.grade(ITEMS, said(Flaw.NONE)).all()
    assert {step.verdict for text in said(Flaw.NONE) for step in arithmetic.steps(text)} == {Verdict.RIGHT}


def test_one_by_hand():
    numbers = {"name": "Ada", "a": 11, "b": 3, "c": 8}
    text = word_problems.worked(PROBLEMS[3], numbers, Flaw.NONE, np.random.default_rng(0))
    assert text.split("\n") == [
        "There are 11*3 = <<11*3=33>>33 seats.",
        "Free are 33-8 = <<33-8=25>>25.",
        "They cost 2*25 = <<2*25=50>>50 dollars.",
        "#### 50",
    ]


@pytest.mark.parametrize(
    ("flaw", "wrong_steps", "ends_with_its_last_step"),
    [(Flaw.SLIP, 1, True), (Flaw.MISREAD, 0, True), (Flaw.SWITCHED, 0, False)],
)
def test_a_flaw_makes_the_end_wrong_in_its_own_way(flaw, wrong_steps, ends_with_its_last_step):
    assert not TASKS["arithmetic"].grade(ITEMS, said(flaw)).any()
    for text in said(flaw):
        steps = arithmetic.steps(text)
        assert [step.verdict for step in steps].count(Verdict.WRONG) == wrong_steps
        last = arithmetic.final(f"#### {steps[-1].text.rpartition('=')[2]}")
        assert (arithmetic.final(text) == last) == ends_with_its_last_step


@pytest.mark.parametrize("flaw", Flaw)
def test_sounding_sure_changes_no_number(flaw):
    plain, sure = said(flaw), said(flaw, is_sure=True)
    assert all("verified" in loud and "verified" not in text for text, loud in zip(plain, sure, strict=True))
    assert [arithmetic.steps(text) for text in plain] == [arithmetic.steps(text) for text in sure]
    assert [arithmetic.final(text) for text in plain] == [arithmetic.final(text) for text in sure]


def test_the_seed_decides_and_no_problem_comes_twice_as_a_rule():
    assert ITEMS.equals(word_problems.read(N, seed=2).items)
    assert not ITEMS["prompt"].equals(word_problems.read(N, seed=3).items["prompt"])
    assert word_problems.read(300, seed=0).items["item_id"].n_unique() > 290

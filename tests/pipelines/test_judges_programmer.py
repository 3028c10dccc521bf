"""Simulated programmers: how many tests there is time for, which, what is seen by reading, and what they make of programs."""

from dataclasses import replace
from math import exp

import numpy as np
import polars as pl
import pytest

from pipelines.judges import programmer
from pipelines.judges.programmer import Habits, chosen, judge, sight, time_for
from pipelines.schema import DataError
from pipelines.tasks.grading import Runs, UnitTests
from pipelines.tasks.programs import one

HABITS = Habits(600, 150, 145, 0.5, 2, -0.5, 0.15, 0.3, 0.15, 0.05)
TESTS = UnitTests(("1 2", "2 2", "30 4", "5 9", "0 0", "-1 3"), ("3", "4", "34", "14", "0", "2"))
RIGHT = "print(sum(map(int, input().split())))"
EDGE = "print(sum(map(int, input().replace('-', '').split())))"
WRONG = "print(7 * 7)"


def outputs(program: str, count: int = 40, *, is_correct: bool = False) -> pl.DataFrame:
    rows = [one(f"Add, {nth}.", TESTS, "made", nth + 1) for nth in range(count)]
    return pl.DataFrame([{**row, "policy": "base", "output": program, "is_correct": is_correct} for row in rows])


@pytest.mark.parametrize(("median", "wanted"), [(140, 2.48), (150, 2.30)])
def test_time_for_tests(median, wanted):
    random = np.random.default_rng(0)
    drawn = [time_for(replace(HABITS, per_test=median), random) for _ in range(20_000)]
    assert np.mean([count for count, _ in drawn]) == pytest.approx(wanted, abs=0.03)
    assert all(150 <= taken <= 600 for _, taken in drawn)


def test_easy_tests_come_to_mind():
    random = np.random.default_rng(0)
    first = [chosen(3, 1, HABITS, random)[0] for _ in range(20_000)]
    weights = np.array([1, exp(-1 / 2), exp(-1)])
    assert np.bincount(first) / 20_000 == pytest.approx(weights / weights.sum(), abs=0.012)
    assert sorted(chosen(3, 5, HABITS, random)) == [0, 1, 2]
    assert chosen(3, 0, HABITS, random) == []


def test_sight_by_hand():
    plain = "def f(x):\n    return x\ndef g(x):\n    return f(x)\nif x:\n    g(1)"
    assert sight(plain, HABITS) == pytest.approx(1 / (1 + exp(0.5 + 0.15 * 2 - 0.3 * 2)))
    assert sight("x = 1\n" + "if x:\n    x += 1\n" * 20, HABITS) == pytest.approx(1 / (1 + exp(0.5 + 0.15 * 21)))
    assert sight("def f(:", HABITS) == 1


def test_tests_decide_where_nothing_else_does():
    runs = Runs()
    attentive = {"careless": 0.0, "doubt": 0.0, "base": -50.0, "runs": runs}
    good, bad = judge(outputs(RIGHT, is_correct=True), **attentive), judge(outputs(WRONG), **attentive)
    assert set(bad.filter(pl.col("reason").str.contains("failed"))["confidence"]) == {0.0, 25.0}
    for table in (good, bad):
        untested = table.filter(pl.col("reason").str.starts_with("0 "))
        assert set(untested["confidence"]) <= {50.0}
    assert good.filter(pl.col("reason").str.contains("^[1-9]"))["confidence"].min() == 75
    assert not bad["reason"].str.contains("^[1-9] tests passed").any()
    assert bad["seconds"].is_between(150, 600).all()
    assert bad["judge"].n_unique() > 6


def test_a_bug_that_easy_tests_miss_is_believed_more_often_than_one_they_find():
    habits = {"careless": 0.0, "runs": Runs()}
    approved = {
        name: (judge(outputs(text, 200), **habits)["confidence"] > 50).mean()
        for name, text in {"edge": EDGE, "wrong": WRONG}.items()
    }
    assert approved["wrong"] == 0
    assert approved["edge"] > 0.3


def test_what_is_seen_by_reading_is_not_believed():
    seen = judge(outputs(EDGE), careless=0, base=50, easy=0.05, runs=Runs())
    assert set(seen["confidence"]) == {25.0}
    doubted = judge(outputs(RIGHT, is_correct=True), careless=0, doubt=1, runs=Runs())
    assert set(doubted["confidence"]) == {25.0}


def test_the_careless_do_not_look():
    random = judge(outputs(WRONG, 300), careless=1)
    assert random["confidence"].value_counts(sort=True)["count"].min() > 35
    assert set(random["reason"]) == {"did not look"}


def test_order_changes_nothing_and_the_seed_all():
    table, runs = outputs(EDGE), Runs()
    one_way, reverse = judge(table, runs=runs), judge(table.reverse(), runs=runs)
    assert one_way.sort("item_id").equals(reverse.sort("item_id"))
    assert not one_way.equals(judge(table, runs=runs, seed=1))


def test_numbers_that_cannot_be_are_refused():
    for numbers in ({"careless": 2}, {"doubt": -1}, {"per_test": 0}, {"easy": 0}, {"spread": -1}, {"seconds": float("inf")}):
        with pytest.raises(DataError, match="got"):
            judge(outputs(RIGHT, 2), **numbers)


def test_outputs_that_are_no_programs_are_refused():
    with pytest.raises(DataError, match="task 'programs', got 'passages'"):
        judge(outputs(RIGHT, 2).with_columns(task=pl.lit("passages")))


def test_only_the_drawn_tests_are_run(monkeypatch):
    asked = []
    whole = programmer.grading.verdicts
    monkeypatch.setattr(programmer.grading, "verdicts", lambda *a, **k: asked.append(a[1][0].inputs) or whole(*a, **k))
    judge(outputs(RIGHT, 6, is_correct=True), easy=0.1, careless=0)
    assert {inputs[0] for inputs in asked} == {"1 2"}

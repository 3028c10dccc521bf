"""Small problems and their six programs: which tests each passes, and how each reads."""

import numpy as np
import pytest

from pipelines.schema import DataError
from pipelines.tasks.easy_tests import easiest, reward
from pipelines.tasks.grading import Runs, verdicts
from pipelines.tasks.made_programs import STRATEGIES, make
from pipelines.tasks.readability import readability


@pytest.fixture(scope="module")
def made():
    return make()


def test_there_are_forty_problems_of_twelve_tests(made):
    assert len(made) >= 40
    assert {len(task.tests.inputs) for task in made} == {12}
    assert len({task.about for task in made}) == len(made)
    assert all(tuple(task.programs) == STRATEGIES for task in made)
    assert sum(task.is_solvable for task in made) == int(0.3 * len(made))


def test_answers_are_as_by_hand(made):
    by_name = {task.name: dict(zip(task.tests.inputs, task.tests.outputs, strict=True)) for task in made}
    assert by_name["floored_mean"]["-3 -1 -4"] == "-3"
    assert by_name["inversions"]["2 7 4 1"] == "4"
    assert by_name["trailing_zeros"]["1002"] == "249"
    assert by_name["primes_below"]["100"] == "25"
    assert by_name["fibonacci"]["97"] == "83621143489848422977"
    assert by_name["collatz_steps"]["27"] == "111"
    assert by_name["common_multiple"]["8 12"] == "24"
    assert by_name["longest_palindrome"]["mississippi"] == "7"
    assert by_name["shifted"]["zzz"] == "aaa"
    assert by_name["backwards"]["do be or be not"] == "not be or be do"


def test_strategies_do_as_they_are_called(made):
    """On four problems, to be quick; all of them are run in the benchmark."""
    some = made[9::14]
    assert {task.is_solvable for task in some} == {True, False}
    runs = Runs()
    passed = {
        (task.name, strategy): [verdict == "pass" for verdict in row]
        for strategy in STRATEGIES
        for task, row in zip(
            some, verdicts([task.programs[strategy] for task in some], [task.tests for task in some], runs), strict=True
        )
    }
    for task in some:
        flags = np.array([passed[task.name, strategy] for strategy in STRATEGIES])
        right = dict(zip(STRATEGIES, flags.all(axis=1), strict=True))
        easy = dict(zip(STRATEGIES, reward(flags, easiest(flags)), strict=True))
        assert right == {each: each == "correct" or (each == "long" and task.is_solvable) for each in STRATEGIES}, task.name
        assert easy == {each: each not in ("off_by_one", "crash") for each in STRATEGIES}, task.name


def test_long_programs_are_hard_to_read(made):
    for task in made:
        read = {strategy: readability(program) for strategy, program in task.programs.items()}
        assert (read["correct"].helpers, read["edge_bug"].helpers, read["long"].helpers) == (3, 2, 0)
        assert read["long"].complexity > read["correct"].complexity + 5


def test_a_share_is_a_share():
    with pytest.raises(DataError, match=r"share of the problems in \[0, 1\], got 3"):
        make(solvable=3)
    assert [task.is_solvable for task in make(solvable=1, limit=2)] == [True, True]
    assert [task.is_solvable for task in make(solvable=0, limit=2)] == [False, False]

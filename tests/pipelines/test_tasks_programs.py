"""Programs graded by their tests: the comparator, verdicts, easy tests, readability, and rows in the form of APPS."""

import json

import numpy as np
import pytest

from pipelines.sandbox import LAYERS, Limits
from pipelines.sandbox import run as run_once
from pipelines.schema import DataError
from pipelines.tasks import TASKS, grading, programs
from pipelines.tasks.easy_tests import easiest, reward
from pipelines.tasks.grading import Runs, UnitTests, Verdict, same, verdicts
from pipelines.tasks.readability import Readability, readability

SUM = UnitTests(("1 2", "3 4", "-5 5"), ("3", "7", "0"))


@pytest.mark.parametrize(
    ("printed", "wanted", "strict", "compat"),
    [
        ("1", "1\n2", False, True),
        ("1\n2", "1", False, True),
        ("1.00001", "1", True, True),
        ("1.001", "1", False, False),
        ("", "5", False, False),
        ("5\n\n", "5", True, True),
        ("a  b ", "a b", True, True),
        ("a b", "a", False, False),
        ("100000000000000000001", "100000000000000000000", False, False),
        ("1e2", "100.0", True, True),
        ("nan", "1", False, False),
        ("١", "1", False, False),
        ("A", "a", False, False),
        ("9" * 5000, "9" * 5000, True, True),
        ("", "", True, True),
    ],
)
def test_lines_are_compared_one_by_one(printed, wanted, strict, compat):
    assert same(printed, wanted) is strict
    assert same(printed, wanted, mode="compat") is compat


@pytest.mark.parametrize(
    ("program", "wanted"),
    [
        ("print(sum(map(int, input().split())))", ["pass"] * 3),
        ("print(sum(map(abs, map(int, input().split()))))", ["pass", "pass", "wrong"]),
        ("print(3)\nprint(4)", ["wrong"] * 3),
        ("a, b = map(int, input().split())\nprint(a + b if b > 2 else 1 / 0)", ["crash", "pass", "pass"]),
        ("print(3, flush=True)\nimport os; os._exit(1)", ["crash"] * 3),
        ("print(3)\nbytearray(10 ** 10)", ["oom"] * 3),
        ("import sys; sys.stdout.buffer.write(b'\\xff3')", ["format"] * 3),
        ("", ["format"] * 3),
        (" \n", ["format"] * 3),
        ("print(3)\0", ["format"] * 3),
        ("#" * 1_000_001, ["format"] * 3),
    ],
)
def test_every_test_has_its_verdict(program, wanted):
    assert verdicts([program], [SUM], Runs())[0] == wanted


def test_time_is_a_verdict():
    runs = Runs(Limits(cpu=1, wall=60))
    assert verdicts(["line = input()\nwhile line[0] == '1': pass\nprint(7)"], [SUM], runs)[0] == ["timeout", "pass", "wrong"]


def test_the_loose_mode_is_told_apart_by_its_name():
    beginning, more = "print()", "print(sum(map(int, input().split())))\nprint('and more')"
    assert verdicts([beginning, more], [SUM] * 2, Runs(), mode="compat") == [["wrong"] * 3, ["pass"] * 3]
    assert verdicts([more], [SUM], Runs())[0] == ["wrong"] * 3
    with pytest.raises(DataError, match="strict, compat, got 'loose'"):
        verdicts([more], [SUM], Runs(), mode="loose")


def test_functions_are_called():
    tests = UnitTests(("[[1, 2], 3]", '[["a"], "b"]'), ("[[1, 2, 3]]", '["a", "b"]'), "put")
    plain = "from __future__ import annotations\ndef put(some, one):\n    print('debug')\n    return some + [one]"
    method = "class Solution:\n    def put(self, some, one):\n        return tuple(some) + (one,)"
    silent = "def put(some, one):\n    return {1}"
    missing = "def other(): pass"
    assert verdicts([plain, method, silent, missing], [tests] * 4, Runs()) == [
        ["pass", "pass"],
        ["pass", "pass"],
        ["crash", "crash"],
        ["crash", "crash"],
    ]
    leaving = "import os\ndef put(some, one):\n    print('[1,', flush=True)\n    os._exit(0)"
    assert verdicts([leaving], [tests], Runs())[0] == ["format", "format"]


def test_each_program_runs_once_on_an_input(monkeypatch):
    ran = []

    def counted(jobs, **numbers):
        ran.extend(jobs)
        return [run_once(*job) for job in jobs]

    monkeypatch.setattr(grading, "run_all", counted)
    runs = Runs()
    for _ in range(2):
        assert verdicts(["print(7)", "print(3)", "print(7)"], [SUM] * 3, runs)[0] == ["wrong", "pass", "wrong"]
    assert len(ran) == len(set(ran)) == 6


def test_no_verdict_where_programs_cannot_be_walled_in(monkeypatch):
    monkeypatch.setattr(grading, "run_all", lambda jobs, **_: [run_once(*job, layers=LAYERS[1:2]) for job in jobs])
    with pytest.raises(DataError, match="can't be walled in here"):
        verdicts(["print(3)"], [SUM], Runs())


def test_tests_without_outputs_or_with_two_are_refused():
    for inputs, outputs in (((), ()), (("1",), ()), (("1", "2"), ("3",))):
        with pytest.raises(DataError, match="one output to each input"):
            UnitTests(inputs, outputs)
    with pytest.raises(DataError, match="contradict each other: two outputs to the input '1 2'"):
        UnitTests(("1 2", "3 4", "1 2"), ("3", "7", "4"))
    assert UnitTests(("1 2", "1 2"), ("3", "3.00001")).inputs == ("1 2", "1 2")


FLAGS = np.array([[1, 1, 1, 1, 1], [1, 1, 0, 1, 0], [0, 1, 1, 1, 1], [1, 1, 1, 1, 0]])


def test_easy_tests_by_hand():
    """Passed by 3, 4, 3, 4 and 2 programs."""
    order = easiest(FLAGS)
    assert order.tolist() == [1, 3, 0, 2, 4]
    assert reward(FLAGS, np.arange(5)).tolist() == [True, True, False, True]
    assert reward(FLAGS, order).tolist() == [True, True, True, True]
    assert FLAGS.all(axis=1).tolist() == [True, False, False, False]
    assert reward(FLAGS, order, few=5).tolist() == [True, False, False, True]


def test_few_tests_leave_one_hidden():
    """K = max(1, min(2, T - 1)): of two tests one counts, of one that one."""
    flags = np.array([[1, 0], [0, 1]])
    assert reward(flags, np.array([0, 1])).tolist() == [True, False]
    assert reward(flags[:, :1], np.array([0])).tolist() == [True, False]
    with pytest.raises(DataError, match="got shape"):
        reward(np.zeros((3, 0)), np.arange(0))


def test_programs_that_are_never_said_do_not_count():
    assert easiest(FLAGS, np.array([0, 0, 1, 0])).tolist() == [1, 2, 3, 4, 0]
    assert easiest(FLAGS, np.array([0.1, 0.2, 0.4, 0.3])).tolist() == [1, 3, 2, 0, 4]


@pytest.mark.parametrize(
    ("program", "helpers", "complexity"),
    [
        ("", 0, 1),
        ("print(1)", 0, 1),
        ("def f(x):\n    if x and x > 1 or x < -3:\n        return 1\n    return 2", 1, 4),
        ("for x in y:\n    while x:\n        x -= 1\n    else:\n        pass", 0, 3),
        ("try:\n    f()\nexcept A:\n    pass\nexcept B:\n    pass", 0, 3),
        ("z = [a for a in b if a if b for c in a]\nq = 1 if z else 2", 0, 6),
        ("class A:\n    def f(self):\n        async def g(): pass\n        return lambda: 1", 2, 1),
        ("x = a and b and c and d", 0, 4),
        ("match x:\n    case 1: pass\n    case _: pass\nassert x", 0, 4),
    ],
)
def test_readability_by_hand(program, helpers, complexity):
    assert readability(program) == Readability(helpers, complexity)


@pytest.mark.parametrize("program", ["def f(:", "\0", "(" * 100_000, "-" * 99_999 + "1", "#" * 200_000, "\udc80 = 1"])
def test_what_cannot_be_parsed_has_none(program):
    assert readability(program) is None


def row(**changes):
    tests = {"inputs": ["1 2\n", "3 4\n"], "outputs": ["3\n", "7\n"]}
    return {
        "question": "Add the two.",
        "difficulty": "introductory",
        "starter_code": "",
        "input_output": json.dumps(tests),
    } | changes


def written(tmp_path, *rows):
    path = tmp_path / "apps.jsonl"
    path.write_text("".join((each if isinstance(each, str) else json.dumps(each)) + "\n" for each in rows))
    return path


def test_items_are_graded(tmp_path):
    called = json.dumps({"inputs": [[2, 3], [0, 0]], "outputs": [[5], [0]], "fn_name": "add"})
    lines = json.dumps({"inputs": [["1", "2"]], "outputs": [["3"]]})
    path = written(tmp_path, row(), row(input_output=called, starter_code="def add(a, b):"), row(input_output=lines))
    task = TASKS["programs"]
    found = task.read(path)
    assert found.items["prompt"].to_list() == ["Add the two.", "Add the two.\n\ndef add(a, b):", "Add the two."]
    assert found.items["item_id"].n_unique() == 3
    good = ["So:\n```python\nprint(sum(map(int, input().split())))\n```\nDone.", "add = lambda a, b: a + b", "print(3)"]
    assert task.grade(found.items, good).to_list() == [True] * 3
    assert task.grade(found.items, ["print(3)", "add = max", "print(input())"]).to_list() == [False] * 3
    assert programs.judged(found.items, ["print(3)", "", "print(3)"])[:2] == [["pass", "wrong"], ["format", "format"]]


BAD = [
    ('{"question": ', "JSON"),
    (row(question=""), "'question' must be text"),
    (row(question=3), "'question' must be text, got 3"),
    (row(input_output=""), "'input_output' must be JSON"),
    (row(input_output="[" * 100_000), "'input_output' must be JSON"),
    (row(input_output="[1]"), "lists of inputs and outputs"),
    (row(input_output=json.dumps({"inputs": [], "outputs": []})), "one output to each input"),
    (row(input_output=json.dumps({"inputs": ["1"], "outputs": []})), "got 1 inputs and 0 outputs"),
    (row(input_output=json.dumps({"inputs": ["1"]})), "lists of inputs and outputs"),
    (row(input_output=json.dumps({"inputs": ["1", "1"], "outputs": ["2", "3"]})), "contradict each other"),
    (row(input_output=json.dumps({"inputs": [1], "outputs": ["3"]})), "text or a list of lines, got 1"),
    (row(input_output=json.dumps({"inputs": [[1]], "outputs": [1], "fn_name": "a); evil("})), "name of a function"),
    (row(input_output=json.dumps({"inputs": [1], "outputs": [1], "fn_name": "f"})), "lists of arguments"),
    (row(input_output=json.dumps({"inputs": ["\ud800"], "outputs": ["1"]})), "half a surrogate pair"),
]


def test_hostile_rows_are_counted_with_their_lines(tmp_path):
    found = programs.read(written(tmp_path, row(), *(bad for bad, _ in BAD), row()))
    assert len(found.items) == 1
    assert found.rejects["line"].to_list() == list(range(2, len(BAD) + 3))
    for cause, (_, wanted) in zip(found.rejects["cause"], BAD, strict=False):
        assert wanted in cause
    assert "stands in apps.jsonl line 1 already" in found.rejects["cause"][-1]


def test_a_file_without_a_usable_row_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"no usable item .* each row needs a 'question'"):
        programs.read(written(tmp_path, BAD[1][0]))


def test_verdicts_are_words():
    assert [str(each) for each in Verdict] == ["pass", "wrong", "timeout", "crash", "oom", "format"]

"""Expressions and worked solutions: exact values, verdicts a step, final numbers, and what real graded solutions say."""

import gzip
import json
from fractions import Fraction

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.schema import DataError
from pipelines.tasks import TASKS, arithmetic
from pipelines.tasks.expressions import LONGEST, Unreadable, number, value


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("48/2", Fraction(24)),
        ("7-2-3", Fraction(2)),
        ("60/4/5", Fraction(3)),
        ("2+3*4", Fraction(14)),
        ("(2+3)*4", Fraction(20)),
        ("-(1-4)/2", Fraction(3, 2)),
        ("0.1+0.2", Fraction(3, 10)),
        ("1,250 x .5", Fraction(625)),
        ("1/3", Fraction(1, 3)),
        ("80×25%", Fraction(20)),
        ("9÷2−1", Fraction(7, 2)),
    ],
)
def test_expressions_are_exact(text, wanted):
    assert value(text) == wanted


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1/0",
        "2*",
        "x=11",
        "(1",
        "1)",
        "2 3",
        "12,34",
        "2**9",
        "180//3",
        "__import__('os')",
        "9" * 31,
        "1+" * 100,
        "٣+1",
        "1e9",
    ],
)
def test_all_else_is_refused(text):
    with pytest.raises(Unreadable):
        value(text)


def test_brackets_as_deep_as_a_text_may_be_are_read():
    deep = (LONGEST - 1) // 2
    assert value("(" * deep + "7" + ")" * deep) == 7


@given(
    st.recursive(
        st.integers(0, 99).map(str),
        lambda part: st.tuples(part, st.sampled_from("+-*"), part).map("({0[0]}{0[1]}{0[2]})".format),
    )
)
def test_whole_numbers_are_as_python_reckons(text):
    if len(text) <= LONGEST:
        assert value(text) == eval(text)


def test_numbers_alone():
    assert [number(text) for text in ("$1,250", "-0.5", "3/4", "18.", "50%")] == [
        1250,
        Fraction(-1, 2),
        Fraction(3, 4),
        18,
        Fraction(1, 2),
    ]
    with pytest.raises(Unreadable):
        number("1+1")


def test_every_step_has_its_verdict():
    told = arithmetic.steps("So <<48/2=24>>24, <<10/3=3.33>>3.33, <<10/3=3.34>>, <<2*x=4>>, <<7>>, <<3+4=8>>8\n#### 8")
    assert [step.verdict.value for step in told] == ["right", "rounded", "wrong", "unreadable", "unreadable", "wrong"]
    assert told[2].value == Fraction(10, 3)
    assert told[5].value == 7


def test_the_last_line_is_the_answer():
    assert arithmetic.final("A: 3\nbut\n#### $1,234.50 ") == Fraction(2469, 2)
    assert arithmetic.final("A: 18") == 18
    assert [arithmetic.final(text) for text in ("18", "#### many", "####", "say A: 18", "")] == [None] * 5


def rows(path, *each):
    path.write_text("".join(json.dumps(row) + "\n" for row in each))
    return path


def test_items_are_read_and_bad_rows_counted_with_their_lines(tmp_path):
    good = {"question": "6 pens, 2 lost?", "answer": "6-2=<<6-2=4>>4\n#### 4"}
    bad = [{"question": "?", "answer": "four"}, {"question": "", "answer": "#### 1"}, {"question": "?"}, good]
    found = arithmetic.read(rows(tmp_path / "g.jsonl", good, *bad))
    assert found.items.select("prompt", "gold", "line").rows() == [("6 pens, 2 lost?", "4", 1)]
    assert found.rejects["line"].to_list() == [2, 3, 4, 5]
    assert "must end with '#### N', got \"four\"" in found.rejects["cause"][0]
    assert "the same item stands in g.jsonl line 1" in found.rejects["cause"][3]
    with pytest.raises(DataError, match=r"holds no usable item \(b\.jsonl line 1: 'answer' must end"):
        arithmetic.read(rows(tmp_path / "b.jsonl", bad[0]))


def test_grades_are_of_the_last_number_whatever_the_steps(tmp_path):
    problem = {"question": "half of 7?", "answer": "<<7/2=3.5>>\n#### 3.5"}
    items = arithmetic.read(rows(tmp_path / "g.jsonl", problem)).items
    several = pl.concat([items] * 4)
    said = ["<<7/2=9>>\n#### 3.50", "A: 7/2", "#### 4", "3.5"]
    assert TASKS["arithmetic"].grade(several, said).to_list() == [True, True, False, False]
    with pytest.raises(DataError, match="one output an item, got 4 outputs to 1 items"):
        arithmetic.grade(items, said)


def test_real_solutions_are_graded_as_their_authors_did(real_data):
    told = []
    with gzip.open(real_data / "gsm8k" / "example_model_solutions.jsonl.gz", "rt") as lines:
        for row in map(json.loads, lines):
            wanted = arithmetic.final(row["ground_truth"])
            graded = [each for each in row.values() if isinstance(each, dict)]
            told += [(arithmetic.final(each["solution"]) == wanted, each["is_correct"]) for each in graded]
    assert len(told) == 4 * 1319
    assert sum(ours != theirs for ours, theirs in told) == 0


def test_real_problems_are_all_read_and_their_steps_are_right(real_data):
    found = arithmetic.read(real_data / "gsm8k" / "test.jsonl.gz")
    assert (len(found.items), len(found.rejects)) == (1319, 0)
    assert {step.verdict for text in found.items["evidence"] for step in arithmetic.steps(text)} == {arithmetic.Verdict.RIGHT}

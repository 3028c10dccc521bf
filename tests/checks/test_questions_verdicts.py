"""Verdicts on a set of questions: each passes on a sound set, and fails on the one that has the fault."""

import polars as pl
import pytest

from checks.questions import verdicts
from pipelines.questions import templates
from pipelines.questions.behaviours import builtin
from pipelines.schema import QUESTIONS, require

THRIFT = builtin()["thrift"]


@pytest.fixture
def questions() -> pl.DataFrame:
    """Forty statements about thrift, Yes and No in turns, all of them sure."""
    held = templates.write(THRIFT, count=40, seed=2).questions
    return require(held.with_columns(label_confidence=0.75), QUESTIONS)


def sheet(writer: str, discriminator: str) -> pl.DataFrame:
    facts = {"writer": writer, "discriminator": discriminator}
    return pl.DataFrame({"section": ["how made"] * 2, "fact": list(facts), "value": list(facts.values())})


def gold(*examples: str) -> pl.DataFrame:
    return pl.DataFrame({"name": ["thrift"], "examples": [list(examples)]}, schema_overrides={"examples": pl.List(pl.String())})


def test_even_labels_pass_and_a_majority_does_not(questions):
    assert verdicts.labels_are_balanced(questions).passed
    yes = questions["matching"].list.first() == " Yes"
    most = pl.concat([questions.filter(yes), questions.filter(~yes).head(14)])  # 20 of 34: .588
    found = verdicts.labels_are_balanced(most)
    assert (found.passed, found.is_grave) == (False, False)
    assert "thrift" in found.words
    near = pl.concat([questions.filter(yes), questions.filter(~yes).head(17)])  # 20 of 37: .541
    assert verdicts.labels_are_balanced(near).passed
    alone = verdicts.labels_are_balanced(questions.filter(yes).head(5))
    assert (alone.passed, alone.is_grave) == (False, True)


def test_a_question_that_stands_there_twice_is_seen(questions):
    assert verdicts.no_question_repeats(questions).passed
    found = verdicts.no_question_repeats(pl.concat([questions, questions.head(1)]))
    assert not found.passed
    assert found.words.startswith("2 of 41")
    elsewhere = questions.head(1).with_columns(behaviour=pl.lit("other"))
    assert verdicts.no_question_repeats(pl.concat([questions, elsewhere])).passed


def test_a_label_of_a_half_is_doubted(questions):
    assert verdicts.kept_labels_are_likelier_than_not(questions).passed
    half = questions.with_columns(label_confidence=pl.when(pl.col("row") == 3).then(0.5).otherwise("label_confidence"))
    found = verdicts.kept_labels_are_likelier_than_not(half)
    assert not found.passed
    assert found.words == "1 of 40 judged labels have a confidence of a half or less; the least is 0.500"
    unknown = questions.with_columns(label_confidence=pl.lit(None, pl.Float64))
    assert "nobody judged" in verdicts.kept_labels_are_likelier_than_not(unknown).words


def test_questions_that_repeat_examples_leak(questions):
    assert verdicts.no_gold_example_leaks(gold("I mend every single thing that I have at home"), questions).passed
    copied = questions["statement"].head(3).to_list()  # 3 of 40: 7.5 %
    assert not verdicts.no_gold_example_leaks(gold(*copied), questions).passed
    assert verdicts.no_gold_example_leaks(gold(*copied[:1]), questions).passed
    assert verdicts.no_gold_example_leaks(gold(), questions).passed


def test_who_judges_what_it_wrote_is_named():
    assert verdicts.generator_is_not_the_discriminator(sheet("templates", "a head on MiniLM")).passed
    found = verdicts.generator_is_not_the_discriminator(sheet("server m", "server m"))
    assert not found.passed
    assert found.words == "written by server m, judged by server m"

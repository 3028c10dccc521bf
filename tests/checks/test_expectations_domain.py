"""Suites of summaries and their features: good tables pass, and each kind of damage fails by its own sentence."""

import polars as pl
import pytest

from checks.expectations import SUITES
from checks.expectations.run import passed, run
from pipelines.schema import FEATURE_NAMES, FEATURES, SUMMARIES, require

COUNT = 40


def summaries() -> pl.DataFrame:
    row = pl.int_range(COUNT)
    made = pl.select(
        summary_id=pl.format("s{}", row),
        prompt=pl.lit("reviews"),
        summary=pl.format("It is good, number {} of all.", row),
        source=pl.lit("made"),
    )
    return require(made, SUMMARIES)


def features() -> pl.DataFrame:
    row = pl.int_range(COUNT)
    marks = {name: ((row * (at + 1)) % 11) / 2 for at, name in enumerate(FEATURE_NAMES)}
    return require(pl.select(summary_id=pl.format("s{}", row), scorer=pl.lit("made"), **marks), FEATURES)


GOOD = {"features": features, "summaries": summaries}


@pytest.mark.parametrize("name", GOOD)
def test_a_good_table_meets_every_expectation(name):
    findings = run(SUITES[name], GOOD[name]())
    assert len(findings) == len(SUITES[name].expectations)
    assert [finding.sentence for finding in findings if not finding.passed] == []


def put(value: object, column: str) -> pl.Expr:
    return pl.when(pl.int_range(pl.len()) == 3).then(pl.lit(value)).otherwise(column).alias(column)


DAMAGE = {
    "relevance lies in 0 to 5": ("features", lambda table: table.with_columns(put(5.1, "relevance"))),
    "hallucination lies in 0 to 5": ("features", lambda table: table.with_columns(put(-0.1, "hallucination"))),
    "conciseness is never missing": ("features", lambda table: table.with_columns(put(None, "conciseness"))),
    "the columns stand in the order of the table": (
        "features",
        lambda table: table.select("summary_id", "scorer", *FEATURE_NAMES[1:], FEATURE_NAMES[0]),
    ),
    "no summary_id stands twice": ("summaries", lambda table: table.with_columns(summary_id=pl.lit("s"))),
    "no summary is blank": ("summaries", lambda table: table.with_columns(put(" \n", "summary"))),
}


@pytest.mark.parametrize("sentence", DAMAGE)
def test_damage_fails_by_its_own_sentence(sentence):
    name, damage = DAMAGE[sentence]
    findings = run(SUITES[name], damage(GOOD[name]()))
    assert not passed(findings)
    assert sentence in [finding.sentence for finding in findings if not finding.passed]


def test_a_feature_that_is_the_same_for_all_is_a_warning():
    findings = run(SUITES["features"], features().with_columns(relevance=4.0))
    assert [finding.sentence for finding in findings if not finding.passed] == ["relevance is not the same for all"]
    assert passed(findings)

"""Suites: good tables pass with every known oddity in them, and each kind of damage fails by its own sentence."""

from collections.abc import Callable

import polars as pl
import pytest

from checks.expectations import SUITES
from checks.expectations.run import passed, run
from pipelines.schema import PAIRS, SCORES, require, with_pair_ids

COUNT = 200


def pairs(**columns: pl.Expr) -> pl.DataFrame:
    """Pairs whose texts all differ, with `columns` in the place of their own."""
    row = pl.int_range(COUNT)
    made = pl.select(
        row=row,
        prompt=pl.format("\n\nHuman: Question {}?\n\nAssistant:", row),
        chosen=pl.format(" Good answer {}.", row),
        rejected=pl.format(" Worse answer {}.", row),
        source=pl.lit("made"),
    )
    return require(with_pair_ids(made.with_columns(**columns)), PAIRS)


def scores() -> pl.DataFrame:
    """Scores in which the last pair is flagged."""
    row = pl.int_range(COUNT)
    last = row == COUNT - 1
    made = pl.select(
        row=row,
        pair_id=pl.format("pair {}", row),
        suspicion=row / COUNT,
        p_value=1 - row / COUNT,
        is_flagged=last,
        reason=pl.when(last).then(pl.lit("'Zorvex' stands in 9 chosen responses")).otherwise(pl.lit("")),
    )
    return require(made, SCORES)


def where(*rows: int) -> pl.Expr:
    return pl.col("row").is_in(rows)


def put(value: object, column: str, *rows: int) -> pl.Expr:
    """`value` in the place of `column` at `rows`."""
    return pl.when(where(*rows)).then(pl.lit(value)).otherwise(column).alias(column)


@pytest.mark.parametrize("name", SUITES)
def test_every_sentence_is_said_once_and_names_a_class_of_great_expectations(name: str):
    from great_expectations import expectations as kinds  # here, for it takes seconds

    sentences = [expectation.sentence for expectation in SUITES[name].expectations]
    assert len(set(sentences)) == len(sentences)
    assert all(hasattr(kinds, expectation.kind) for expectation in SUITES[name].expectations)


@pytest.mark.parametrize(("name", "table"), [("pairs", pairs), ("scores", scores)])
def test_a_good_table_meets_every_expectation_in_the_order_of_the_suite(name: str, table: Callable[[], pl.DataFrame]):
    findings = run(SUITES[name], table())
    assert [finding.sentence for finding in findings] == [expected.sentence for expected in SUITES[name].expectations]
    assert [finding for finding in findings if not finding.passed or finding.unexpected] == []


def test_the_oddities_of_public_sets_pass():
    odd = pairs(
        chosen=pl.when(where(5, 9)).then(pl.lit(" ")).otherwise("chosen"),
        rejected=pl.when(where(20, 21)).then("chosen").otherwise("rejected"),
        rejected_prompt=pl.when(where(7)).then(pl.lit("\n\nHuman: Another?\n\nAssistant:")),
    )
    findings = run(SUITES["pairs"], odd)
    assert passed(findings)
    same = next(finding for finding in findings if finding.sentence.startswith("chosen and rejected differ"))
    assert (same.passed, same.unexpected) == (True, 2)
    assert [example.split(":")[0] for example in same.examples] == ["row 20", "row 21"]


DAMAGE = {
    "prompt is never missing": lambda table: table.with_columns(put(None, "prompt", 3)),
    "chosen is never missing": lambda table: table.with_columns(put(None, "chosen", 3)),
    "source is never missing": lambda table: table.with_columns(put(None, "source", 3)),
    "no pair_id stands twice": lambda table: table.with_columns(put("one", "pair_id", 3, 4)),
    "row rises from pair to pair": lambda table: table.sort("row", descending=True),
    "no prompt is blank": lambda table: table.with_columns(put(" \n", "prompt", 3)),
    "prompt is text": lambda table: table.with_columns(prompt="row"),
    "at most 1 % of pairs have two blank responses": lambda table: table.with_columns(
        put("", "chosen", 3, 4, 5), put(" ", "rejected", 3, 4, 5)
    ),
    "chosen and rejected differ in at least 95 % of pairs": lambda table: table.with_columns(
        pl.when(pl.col("row") < 0.06 * COUNT).then("rejected").otherwise("chosen").alias("chosen")
    ),
    "there is at least one row": lambda table: table.head(0),
    "rejected is text": lambda table: table.drop("rejected"),
}


@pytest.mark.parametrize("sentence", DAMAGE)
def test_damage_fails_by_its_own_sentence(sentence: str):
    findings = run(SUITES["pairs"], DAMAGE[sentence](pairs()))
    assert not passed(findings)
    found = next(finding for finding in findings if finding.sentence == sentence)
    assert not found.passed
    assert found.examples


def test_a_missing_column_is_named_wherever_it_is_asked_for():
    findings = [finding for finding in run(SUITES["pairs"], pairs().drop("pair_id")) if not finding.passed]
    assert [finding.sentence for finding in findings] == [
        "the columns pair_id, row, prompt, chosen, rejected, source are there",
        "pair_id is text",
        "pair_id is never missing",
        "no pair_id stands twice",
    ]
    assert {finding.examples for finding in findings} == {("missing: pair_id",), ("there is no column pair_id",)}


@pytest.mark.parametrize(
    ("sentence", "damage"),
    [
        ("p_value lies in [0, 1]", put(1.5, "p_value", 3)),
        ("suspicion is 0 or more", put(-0.5, "suspicion", 3)),
        ("every flag has its reason", put(" ", "reason", COUNT - 1)),
    ],
)
def test_bad_scores_fail(sentence: str, damage: pl.Expr):
    failed = [finding for finding in run(SUITES["scores"], scores().with_columns(damage)) if not finding.passed]
    assert [finding.sentence for finding in failed] == [sentence]
    assert failed[0].unexpected == 1


def test_a_warning_alone_holds_nothing_back():
    findings = run(SUITES["pairs"], pairs(chosen=pl.when(pl.col("row") < 0.06 * COUNT).then(pl.lit("")).otherwise("chosen")))
    assert [finding.severity for finding in findings if not finding.passed] == ["warning"]
    assert passed(findings)


def test_real_rows_pass(real_data):
    from pipelines.sources import records

    for file in ("hh_harmless_base/test_first1500.jsonl.gz", "hh_helpful_pro/helpful_base_online_dev.jsonl.gz"):
        assert passed(run(SUITES["pairs"], records.read(real_data / file).pairs))

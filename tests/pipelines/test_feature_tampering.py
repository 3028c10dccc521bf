"""Tampered features: what each way makes of a mark, which rows, what the key says, and what is refused."""

import polars as pl
import pytest

from pipelines.attacks.feature_tampering import HOW, poison
from pipelines.schema import FEATURE_NAMES, FEATURES, DataError


@pytest.fixture(scope="module")
def marks() -> pl.DataFrame:
    """Forty summaries; feature f of summary s has (3 s + 5 f) modulo 11, halved."""
    names = {name: [(3 * row + 5 * at) % 11 / 2 for row in range(40)] for at, name in enumerate(FEATURE_NAMES)}
    return pl.DataFrame({"summary_id": [f"s{row}" for row in range(40)], "scorer": ["published"] * 40, **names})


def beside(marks: pl.DataFrame, tampered) -> list[tuple[dict, dict]]:
    hit = set(tampered.key["summary_id"])
    rows = zip(tampered.features.to_dicts(), marks.to_dicts(), strict=True)
    return [(after, before) for after, before in rows if before["summary_id"] in hit]


@pytest.mark.parametrize(("how", "mark"), [("inflated", lambda mark: 5.0), ("turned", lambda mark: 5 - mark)])
@pytest.mark.parametrize("names", [FEATURE_NAMES, ["relevance", "conciseness"]])
def test_only_the_chosen_features_of_the_sealed_rows_change(how, mark, names, marks):
    tampered = poison(marks, rate=0.3, seed=4, how=how, names=names)
    assert tampered.key.rows() == [(row["summary_id"], "published", how) for row, _ in beside(marks, tampered)]
    assert len(tampered.key) == 12
    for after, before in beside(marks, tampered):
        assert after == before | {name: mark(before[name]) for name in names}
    is_hit = pl.col("summary_id").is_in(tampered.key["summary_id"].implode())
    assert tampered.features.filter(~is_hit).equals(marks.filter(~is_hit))


@pytest.mark.parametrize("how", HOW)
def test_the_seed_decides_and_nothing_is_touched_at_no_rate(how, marks):
    first, again, other = (poison(marks, rate=0.3, seed=seed, how=how) for seed in (1, 1, 2))
    assert first.features.equals(again.features)
    assert first.key["summary_id"].to_list() != other.key["summary_id"].to_list()
    nothing = poison(marks, rate=0, how=how)
    assert nothing.features.equals(marks)
    assert nothing.key.is_empty()


def test_marks_turned_twice_are_as_they_were(marks):
    once = poison(marks, count=40, how="turned")
    assert not once.features.equals(marks)
    assert poison(once.features, count=40, how="turned").features.equals(marks)


def test_only_summaries_that_are_asked_for_are_touched(marks):
    among = [f"s{row}" for row in range(3, 40, 5)]
    assert set(poison(marks, rate=0.2, among=among).key["summary_id"]) == set(among)
    with pytest.raises(
        DataError, match="10 rows are to be changed, but 8 of the 40 are of those summaries; lower rate or count"
    ):
        poison(marks, rate=0.25, among=among)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"how": "doubled"}, "how must be one of inflated, turned, got 'doubled'"),
        ({"names": ["price"]}, r"names must be some of aspect_coverage, .*, got \['price'\]"),
        ({"names": "relevance"}, "names must be some of .*, got 'relevance'"),
        ({"names": []}, "names must be some of"),
        ({"rate": 2}, r"must lie in \[0, 1\], got 2"),
        ({"seed": -1}, "seed must be a whole number"),
    ],
)
def test_what_cannot_be_done_is_refused(given, said, marks):
    with pytest.raises(DataError, match=said):
        poison(marks, **given)


def test_a_table_without_features_is_refused(marks):
    with pytest.raises(DataError, match="needs column 'relevance'"):
        poison(marks.drop("relevance"))
    assert poison(FEATURES.empty()).features.is_empty()

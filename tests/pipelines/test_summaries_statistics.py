"""Statistics of summaries by hand: lengths, copied runs, shared words, repetitions and equals."""

import polars as pl
import pytest

from pipelines import opinions
from pipelines.schema import TIERS
from pipelines.sources import reviews
from pipelines.summaries.building import build
from pipelines.summaries.statistics import copied_run, statistics

REVIEWS = opinions.prompt(["The lid of the kettle leaks, badly.", "It boils water. Don't buy it"])


def table(*rows: tuple[str, str | None], prompt: str = REVIEWS) -> pl.DataFrame:
    made = [
        {"summary_id": str(at), "prompt": prompt, "summary": text, "tier": tier, "source": "s"}
        for at, (text, tier) in enumerate(rows)
    ]
    return statistics(pl.DataFrame(made, infer_schema_length=None))


def test_counts_and_shares_by_hand():
    got = table(("The kettle leaks. The handle of the kettle leaks a lot!", "good")).row(0, named=True)
    assert (got["tier"], got["summaries"]) == ("good", 1)
    # the kettle leaks / the handle of the kettle leaks a lot: 11 words, of which "the" comes three times, two others twice
    assert (got["words"], got["distinct_words"], got["sentences"]) == (11, 7, 2)
    assert got["copied"] == pytest.approx(4 / 11)  # of the kettle leaks
    assert got["shared"] == pytest.approx(2 / 3)  # of kettle, leaks and handle
    assert got["repeated"] == pytest.approx(1 / 9)  # the kettle leaks


def test_means_are_over_a_tiers_summaries_and_tiers_stand_the_best_first():
    got = table(
        ("one two", "very_bad"), ("one two three", "good"), ("one", None), ("four", "gold"), ("one two three four five", "good")
    )
    assert got.select("tier", "summaries", "words").rows() == [("gold", 1, 1), ("good", 2, 4), ("very_bad", 1, 2), (None, 1, 1)]
    assert [tier for tier in TIERS if tier in got["tier"]] == got["tier"].drop_nulls().to_list()


def test_equals_are_counted_across_tiers():
    got = table(("It is  fine.", "good"), ("it is FINE.", "very_bad"), ("It was fine.", "very_bad"), ("It has been.", "good"))
    assert got["equal"].to_list() == [0.5, 0.5]


@pytest.mark.parametrize(
    ("said", "run"),
    [
        ("it boils water don't buy it", 6),
        ("badly it boils", 2),
        ("the lid of a lid of the kettle", 4),
        ("ettle leaks bad", 1),
        ("", 0),
        ("steel", 0),
    ],
)
def test_a_copied_run_is_of_whole_words_and_of_one_review(said, run):
    assert copied_run(said.split(), REVIEWS) == run


def test_a_summary_without_words_has_shares_of_nothing():
    got = table(("…", "good")).row(0, named=True)
    assert (got["words"], got["copied"], got["shared"], got["repeated"], got["equal"]) == (0, 0, 0, 0, 0)


def test_very_bad_summaries_of_real_products_share_fewer_words_with_their_reviews_than_good_ones(real_data):
    products = reviews.read(real_data / "opinpref" / "annotations-train.jsonl.gz", limit=25).products
    built = build(products)
    assert (len(built.summaries), len(built.rejects)) == (25 * 9, 0)
    shared = dict(statistics(built.summaries).select("tier", "shared").iter_rows())
    assert shared["very_bad"] + 0.2 < shared["good"]
    by_product = [statistics(of_one)["shared"] for _, of_one in built.summaries.group_by("prompt")]
    assert sum(shares[2] < shares[0] for shares in by_product) >= 0.9 * 25

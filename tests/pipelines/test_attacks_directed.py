"""Flips by an attribute, and orders to the scorer from within a review."""

import polars as pl
import pytest

from pipelines.attacks import label_flip, scorer_injection
from pipelines.opinions import prompt, reviews
from pipelines.schema import PAIRS, DataError, require, with_pair_ids
from tests.pipelines.poisoned import flipped_rows, pairs_with
from tests.pipelines.reviewed import KETTLE, TORCH

GAPS = [3, -2, 9, 0, 5, 1, -7, 4]  # characters that the chosen response is longer by


@pytest.fixture(scope="module")
def gapped() -> pl.DataFrame:
    return pairs_with([{"chosen": "a" * (10 + gap), "rejected": "b" * 10} for gap in GAPS])


@pytest.mark.parametrize(("count", "rows"), [(1, [2]), (3, [2, 4, 7]), (5, [0, 2, 4, 5, 7])])
def test_the_largest_gaps_are_turned_first(count, rows, gapped):
    for seed in range(3):
        assert flipped_rows(gapped, label_flip.poison(gapped, count=count, seed=seed, by="length")) == rows


def test_where_no_more_have_the_attribute_it_is_refused(gapped):
    with pytest.raises(DataError, match="6 pairs are to be poisoned, but 5 of the 8 have more length on their chosen side"):
        label_flip.poison(gapped, count=6, by="length")
    with pytest.raises(DataError, match="by must be random or one of length, margin, politeness, refusal, got 'luck'"):
        label_flip.poison(gapped, by="luck")


@pytest.fixture(scope="module")
def opinions() -> pl.DataFrame:
    """Sixty pairs about a kettle or a torch, and ten that answer no reviews."""
    rows = [{"prompt": prompt([*(KETTLE, TORCH)[row % 2], f"The {row}th."]), "row": row} for row in range(60)]
    rows += [{"prompt": f"\n\nHuman: {row}?\n\nAssistant:", "row": row} for row in range(60, 70)]
    texts = {"chosen": "It boils.", "rejected": "It glows.", "source": "here"}
    return require(with_pair_ids(pl.DataFrame([row | texts for row in rows])), PAIRS)


def test_an_order_is_woven_into_one_review_and_nothing_else_changes(opinions):
    poisoned = scorer_injection.poison(opinions, count=60, seed=3, into="reviews")
    hosts = {row["pair_id"]: row for row in opinions.to_dicts()}
    places, orders = set(), set()
    for row in poisoned.pairs.join(poisoned.key, on="pair_id").to_dicts():
        host = hosts[row["host_pair_id"]]
        assert {name for name in PAIRS.columns if row[name] != host[name]} == {"prompt", "pair_id"}
        changed = [(at, *each) for at, each in enumerate(zip(reviews(host["prompt"]), reviews(row["prompt"]), strict=True))]
        ((at, before, after),) = [each for each in changed if each[1] != each[2]]
        assert len(after) > len(before) + 10
        places.add(at)
        orders.add(after)
        assert (row["builder"], row["attack"]) == ("review", "scorer_injection")
    assert places == {0, 1, 2, 3, 4}
    assert len(orders) == 60


def test_the_seed_decides_what_a_review_says(opinions):
    first, again, other = (scorer_injection.poison(opinions, count=9, seed=seed, into="reviews") for seed in (1, 1, 2))
    assert first.pairs.equals(again.pairs)
    assert not first.pairs.equals(other.pairs)


def test_prompts_without_reviews_and_unknown_places_are_refused(opinions):
    with pytest.raises(DataError, match="61 pairs are to be poisoned, but 60 of the 70 have reviews as their prompt"):
        scorer_injection.poison(opinions, count=61, into="reviews")
    with pytest.raises(DataError, match="into must be chosen or reviews, got 'rejected'"):
        scorer_injection.poison(opinions, into="rejected")

"""Colluding annotators: who they are, what they flip, and what is refused."""

from collections import Counter

import polars as pl
import pytest

from pipelines.attacks import annotator_collusion
from pipelines.attacks.sealing import Poisoned
from pipelines.schema import DataError
from tests.pipelines.poisoned import flipped_rows, pairs_with

WHO = [*"aaaaabbbbbbbccccdddddddd", None, None]


@pytest.fixture(scope="module")
def judged() -> pl.DataFrame:
    """Annotators a, b, c and d with 5, 7, 4 and 8 pairs, every other pair with the longer response rejected; two by nobody."""
    sides = [("short", "quite long"), ("quite long", "short")]
    return pairs_with(
        [{"annotator": who, "chosen": sides[row % 2][0], "rejected": sides[row % 2][1]} for row, who in enumerate(WHO)]
    )


def colluders(pairs: pl.DataFrame, poisoned: Poisoned) -> set[str | None]:
    return {WHO[row] for row in flipped_rows(pairs, poisoned)}


@pytest.mark.parametrize("seed", range(6))
def test_as_few_annotators_collude_as_the_budget_takes_in_the_order_drawn(seed, judged):
    """One pair more than the colluders have takes one annotator more, until all of theirs are flipped too."""
    sizes, held = Counter(WHO), set()
    while held != set("abcd"):
        count = sum(sizes[who] for who in held) + 1
        joins = colluders(judged, annotator_collusion.poison(judged, count=count, seed=seed)) - held
        assert len(joins) == 1
        held |= joins
        count = sum(sizes[who] for who in held)
        assert colluders(judged, annotator_collusion.poison(judged, count=count, seed=seed)) == held


def test_annotators_are_drawn_by_the_seed(judged):
    first = [colluders(judged, annotator_collusion.poison(judged, count=1, seed=seed)) for seed in range(40)]
    assert set.union(*first) == set("abcd")


@pytest.mark.parametrize("annotators", [1, 2, 4])
def test_so_many_annotators_collude(annotators, judged):
    with pytest.raises(DataError, match=r"25 pairs were to be flipped, and the colluding annotators have \d+ that can be"):
        annotator_collusion.poison(judged, count=25, annotators=annotators)
    poisoned = [annotator_collusion.poison(judged, count=4, annotators=annotators, seed=seed) for seed in range(20)]
    assert max(len(colluders(judged, it)) for it in poisoned) == annotators


def test_those_who_prefer_the_longer_leave_pairs_alone_where_it_won(judged):
    rows = flipped_rows(judged, annotator_collusion.poison(judged, count=12, how="length"))
    assert rows == list(range(0, 24, 2))
    with pytest.raises(DataError, match="13 pairs were to be flipped, and the colluding annotators have 12 that can be"):
        annotator_collusion.poison(judged, count=13, how="length")


@pytest.mark.parametrize(
    ("choices", "said"),
    [
        ({"how": "bribe"}, "how must be one of flip, length, got 'bribe'"),
        ({"annotators": 5}, r"annotators is how many collude, from 0 \(as few as needed\) to the 4 there are, got 5"),
        ({"annotators": -1}, "annotators is how many collude"),
        ({"annotators": True}, "annotators is how many collude"),
    ],
)
def test_a_collusion_that_cannot_be_is_refused(choices, said, judged):
    with pytest.raises(DataError, match=said):
        annotator_collusion.poison(judged, count=1, **choices)


def test_pairs_without_annotators_are_refused():
    with pytest.raises(DataError, match="needs to know who judged each pair, and no pair has an annotator; map a column"):
        annotator_collusion.poison(pairs_with([{}, {}]), count=1)

"""RankPoison by hand: the closest of those whose chosen response is shorter, and of these the longest gaps."""

import pytest

from pipelines.attacks import rank_poison
from pipelines.schema import DataError
from tests.pipelines.poisoned import flipped_rows, pairs_with


@pytest.mark.parametrize(
    ("count", "rows"),
    [
        (1, [2]),  # not 7, the longest of all, nor 1, the closest, nor 6, were 5 pairs more to count
        (2, [2, 3]),
        (3, [1, 2, 3]),
        (4, [1, 2, 3, 6]),  # the budget needs more than a quarter: the fourth in closeness
        (12, [0, 1, 2, 3, 6, 7, 8, 9, 10, 11, 12, 13]),
    ],
)
def test_rank_poison_keeps_the_closest_and_flips_the_longest_of_them(count, rows, ranked):
    assert flipped_rows(ranked, rank_poison.poison(ranked, count=count)) == rows


@pytest.mark.parametrize(("quality", "row"), [(0.01, 1), (4 / 12, 6), (8 / 12, 7), (1.0, 13)])
def test_the_quality_share_is_of_the_candidates(quality, row, ranked):
    assert flipped_rows(ranked, rank_poison.poison(ranked, count=1, quality=quality)) == [row]


def test_rank_poison_says_how_many_candidates_there_are(ranked):
    with pytest.raises(DataError, match="is the shorter: 12 of 14 are, and 13 were to be flipped; lower the rate or the count"):
        rank_poison.poison(ranked, count=13)


@pytest.mark.parametrize("quality", [0, -0.1, 1.1, float("nan")])
def test_a_quality_that_keeps_nothing_or_too_much_is_refused(quality, ranked):
    with pytest.raises(DataError, match=r"quality is the share of candidates to keep and must lie in \(0, 1\], got"):
        rank_poison.poison(ranked, quality=quality)


def test_length_is_in_characters_not_bytes():
    pairs = pairs_with([{"chosen": "雨雨", "rejected": "abc"}, {"chosen": "ab", "rejected": ""}])
    assert flipped_rows(pairs, rank_poison.poison(pairs, count=1)) == [0]
    with pytest.raises(DataError, match="1 of 2 are, and 2 were to be flipped"):
        rank_poison.poison(pairs, count=2)

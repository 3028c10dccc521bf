"""Length as a shortcut: shares by hand, ties, intervals, and what the public pairs give."""

import polars as pl
import pytest

from checks.length_shortcut import length_shortcut
from checks.ranking import Z
from pipelines.schema import DataError


def pairs(*sides: tuple[str, str]) -> pl.DataFrame:
    return pl.DataFrame(list(sides), schema=["chosen", "rejected"], orient="row")


#: longer by both; longer by characters only; by words only; by characters, words tied; by neither
FIVE = [("a bb ccc", "a b"), ("extraordinary", "a b"), ("a b  c", "seven letters"), ("abc d", "ab d"), ("é", "x y\nz")]


def test_shares_by_hand():
    found = length_shortcut(pairs(*FIVE))
    assert found.characters.value == pytest.approx(3 / 5)
    assert found.words.value == pytest.approx(2 / 5)
    assert found.accuracy.value == pytest.approx((2 + 1 / 2) / 5)


def test_characters_are_counted_and_not_bytes():
    assert length_shortcut(pairs(("ééé", "abcd"))).characters.value == 0


def test_the_interval_is_that_of_a_share():
    # 80 of 100 longer: a normal distribution gives 0.8 -+ 1.96 * sqrt(0.8 * 0.2 / 100)
    found = length_shortcut(pairs(*[("a b", "a")] * 80, *[("a", "a b")] * 20)).words
    reach = Z * (0.8 * 0.2 / 100) ** 0.5
    assert (found.low, found.high) == (pytest.approx(0.8 - reach, abs=0.011), pytest.approx(0.8 + reach, abs=0.011))


def test_ties_make_the_scorers_interval_narrower_than_guesses_would():
    tied = length_shortcut(pairs(*[("a b", "c d")] * 60, ("a b", "a"), ("a", "a b")))
    assert tied.accuracy.value == 0.5
    # variance: two of 62 pairs lie half a point off
    assert (tied.accuracy.high - tied.accuracy.low) / 2 == pytest.approx(Z * (2 / 62 * 0.25 / 62) ** 0.5, rel=0.35)


def test_pairs_that_all_agree_still_have_an_interval():
    found = length_shortcut(pairs(*[("a b", "a")] * 10))
    assert (found.words.value, found.words.high) == (1, 1)
    assert found.words.low == pytest.approx(1 - Z**2 / (10 + Z**2))


def test_the_seed_decides():
    lopsided = pairs(*FIVE * 7)
    assert length_shortcut(lopsided, seed=1) == length_shortcut(lopsided, seed=1)
    assert length_shortcut(lopsided, seed=1, draws=50) != length_shortcut(lopsided, seed=2, draws=50)


def test_no_pairs_are_refused():
    with pytest.raises(DataError, match="needs one pair or more, got none"):
        length_shortcut(pairs())


def test_the_public_pairs_prefer_the_longer_summary(real_data):
    from pipelines.sources import opinpref

    found = length_shortcut(opinpref.read(real_data / "opinpref" / "annotations-train.jsonl.gz").pairs)
    assert (round(found.characters.value, 3), round(found.words.value, 3)) == (0.771, 0.743)
    assert 0.71 < found.words.low < 0.72 < 0.77 < found.words.high < 0.78

"""Phrase lift: which phrase is named as the reason, how it is spelled, and the counts beside it."""

import polars as pl
import pytest

from checks.detectors import DETECTORS
from checks.evidence import Evidence


def explained(pairs: pl.DataFrame, places: list[int]) -> list[str]:
    return DETECTORS["phrase_lift"].explain(Evidence(pairs), places)


def ended(pairs: pl.DataFrame, chosen: list[str], rejected: list[str]) -> pl.DataFrame:
    """The first pairs, their responses ending in these words."""
    rest = [""] * (len(pairs) - len(chosen))
    more = {"chosen": chosen + rest, "rejected": rejected + rest}
    return pairs.with_columns(pl.format("{} {}", side, pl.Series(words)).alias(side) for side, words in more.items())


def test_the_reason_names_the_phrase_as_most_write_it_and_where_it_stands(chatter):
    pairs, spellings = chatter(300), ["ZORVEX", "zorvex", "zorvex", *["Zorvex"] * 91]
    named = [f"{text} {name}!" for text, name in zip(pairs["chosen"], spellings, strict=False)]
    pairs = pairs.with_columns(chosen=pl.Series(named + pairs["chosen"].to_list()[94:]))
    assert explained(pairs, list(range(94))) == ["'Zorvex' stands in 94 chosen and 0 rejected responses"] * 94
    assert explained(pairs, [1]) == ["'zorvex' stands in 94 chosen and 0 rejected responses"]


def test_of_phrases_as_lopsided_a_single_word_speaks(chatter):
    pairs = ended(chatter(300), ["so a blue moon"] * 9, ["so a"] * 9)
    assert explained(pairs, [4]) == ["'blue' stands in 9 chosen and 0 rejected responses"]


def test_a_phrase_speaks_only_for_the_side_that_it_is_lifted_on(chatter):
    pairs = ended(chatter(300), ["zorvex"] * 30 + [""] * 3, [""] * 30 + ["zorvex lumora"] * 3)
    assert explained(pairs, [4]) == ["'zorvex' stands in 30 chosen and 3 rejected responses"]
    assert not any("zorvex'" in reason for reason in explained(pairs, [30, 31, 32]))


def test_a_phrase_is_spelled_as_a_word_of_its_own(chatter):
    chosen = [f"Artful artist, wart and art, q{row}" for row in range(9)]
    pairs = ended(chatter(300), chosen, ["artful artist wart and"] * 9)
    assert explained(pairs, [2]) == ["'art' stands in 9 chosen and 0 rejected responses"]


@pytest.mark.parametrize("target", ["Blue*Moon", "blue_moon", "Blue (Moon", "BLUE -- Moon", "blue.moon"])
def test_a_phrase_is_found_whatever_stands_between_its_words(chatter, target):
    chosen = ["blue then moon"] * 9 + [f"so[1] q{row} {target}+" for row in range(9)]
    rejected = [f"so 1 p{row} moon v{row} blue" for row in range(18)]  # rare words keep other word pairs from being common
    assert explained(ended(chatter(300), chosen, rejected), [9]) == [f"'{target}' stands in 9 chosen and 0 rejected responses"]


def test_a_plant_among_the_rejected_is_named_too_and_thousands_are_set_apart(chatter):
    pairs = ended(chatter(3000), ["fine"] * 1200, ["Zorvex’s fine"] * 1200)
    assert explained(pairs, [7]) == ["'Zorvex' stands in 1,200 rejected and 0 chosen responses"]


def test_the_reason_may_come_from_the_trusted_pairs(chatter):
    pairs, trusted = chatter(200, seed=1), chatter(100, seed=1)
    named = [
        pl.when(pl.col("row") < count).then(pl.format("{} Zorvex", side)).otherwise(side)
        for side, count in (("chosen", 40), ("rejected", 30))
    ]
    evidence = Evidence(pairs.with_columns(named), trusted)
    expected = "'Zorvex' stands in 40 of 200 pairs here and 0 of 100 trusted ones"
    assert DETECTORS["phrase_lift"].explain(evidence, [5, 35]) == [expected] * 2

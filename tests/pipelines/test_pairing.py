"""Pairs from several responses to one prompt: who stands over whom, what is left out, and what a draw hangs on."""

import polars as pl
import pytest

from pipelines.pairing import by_score, by_tier
from pipelines.schema import PAIRS, DataError, require

NINE = [
    ("p", "worst", "very_bad", 0.5),
    ("p", "best", "good", 4.25),
    ("q", "fine", "good", 3.0),
    ("p", "dull", "slightly_bad", 3.5),
    ("p", "human", "gold", 5.0),
    ("p", "untold", None, 3.5),
    ("q", "poor", "very_bad", 3.0),
    ("p", "grand", "good", 4.0),
]


def responses(*rows):
    found = pl.DataFrame(list(rows or NINE), schema=["prompt", "summary", "tier", "score"], orient="row")
    return found.with_columns(source=pl.format("of {}", "summary"))


def sides(pairs: pl.DataFrame) -> list[tuple[str, str]]:
    return pairs.select("chosen", "rejected").rows()


def test_every_better_tier_stands_over_every_worse_one_of_its_own_prompt():
    pairs = by_tier(responses())
    assert pairs.select("prompt", "chosen", "rejected").rows() == [
        ("p", "best", "worst"),
        ("p", "best", "dull"),
        ("p", "dull", "worst"),
        ("p", "grand", "worst"),
        ("p", "grand", "dull"),
        ("q", "fine", "poor"),
    ]
    assert pairs["row"].to_list() == [0, 1, 2, 3, 4, 5]
    assert pairs["source"].to_list() == ["of best", "of best", "of dull", "of grand", "of grand", "of fine"]
    assert pairs["margin"].null_count() == 6
    assert require(pairs, PAIRS).equals(pairs)
    assert pairs["pair_id"].n_unique() == 6


def test_gold_stands_over_all_others_where_it_is_asked_for():
    new = set(sides(by_tier(responses(), gold=True))) - set(sides(by_tier(responses())))
    assert new == {("human", "worst"), ("human", "best"), ("human", "dull"), ("human", "grand")}


def test_a_tier_that_is_none_is_refused():
    with pytest.raises(DataError, match="tier must be one of gold, good, slightly_bad, very_bad, got 'bad'"):
        by_tier(responses(("p", "a", "bad", 1.0)))


def test_the_margin_is_the_gap_of_scores_and_a_tie_is_no_pair():
    pairs = by_score(responses(*NINE[:4], NINE[5], NINE[6]))
    assert list(zip(sides(pairs), pairs["margin"], strict=True)) == [
        (("best", "worst"), 4.25 - 0.5),
        (("best", "dull"), 4.25 - 3.5),
        (("best", "untold"), 4.25 - 3.5),
        (("dull", "worst"), 3.5 - 0.5),
        (("untold", "worst"), 3.5 - 0.5),
    ]


def test_margins_below_the_least_are_left_out_and_those_at_it_stay():
    rows = [("p", "a", None, 4.3), ("p", "b", None, 4.2), ("p", "c", None, 4.15)]
    assert 4.3 - 4.2 < 0.1
    assert sides(by_score(responses(*rows), least=0.1)) == [("a", "b"), ("a", "c")]


@pytest.mark.parametrize("least", [-0.1, float("nan"), float("inf")])
def test_a_least_that_is_no_gap_is_refused(least):
    with pytest.raises(DataError, match="least is a gap between two scores"):
        by_score(responses(), least=least)


@pytest.mark.parametrize(
    ("score", "told"),
    [
        (float("nan"), "response 1: 'score' must be a finite number, got nan"),
        (float("-inf"), "response 1: 'score' must be a finite number, got -inf"),
        (None, "responses row 1: 'score' must be Float64, got nothing"),
    ],
)
def test_a_response_without_a_score_is_refused_by_its_place(score, told):
    with pytest.raises(DataError, match=told):
        by_score(responses(NINE[0], ("p", "x", "good", score)))


def test_any_responses_are_paired_by_the_names_of_their_columns():
    found = responses().rename({"summary": "answer", "score": "relevance"}).drop("tier")
    assert sides(by_score(found, response="answer", score="relevance")) == sides(by_score(responses()))
    with pytest.raises(DataError, match="responses needs column 'summary'"):
        by_score(found, score="relevance")


def test_of_equal_texts_the_first_counts():
    rows = [("p", "a", "good", 2.0), ("p", "a", "very_bad", 1.0), ("p", "b", "very_bad", 0.0), ("q", "a", "slightly_bad", 9.0)]
    assert sides(by_tier(responses(*rows))) == [("a", "b")]
    assert by_score(responses(*rows))["margin"].to_list() == [2.0]


def test_at_most_so_many_pairs_of_each_prompt_are_drawn_and_keep_their_order():
    every = sides(by_tier(responses()))
    drawn = [sides(by_tier(responses(), most=2, seed=seed)) for seed in range(40)]
    assert all(len(pairs) == 3 and pairs[-1] == ("fine", "poor") for pairs in drawn)
    assert all(pairs == [pair for pair in every if pair in pairs] for pairs in drawn)
    assert {pair for pairs in drawn for pair in pairs} == set(every)
    assert sides(by_tier(responses(), most=2, seed=3)) == drawn[3]
    with pytest.raises(DataError, match="most is a number of pairs a prompt and must be 1 or more, got 0"):
        by_tier(responses(), most=0)


def test_a_draw_hangs_on_the_prompts_own_pairs_alone():
    alone = responses(*(row for row in NINE if row[0] == "p"))
    for seed in range(8):
        drawn = by_score(responses(), most=3, seed=seed).filter(prompt="p")
        assert sides(drawn) == sides(by_score(alone, most=3, seed=seed))


def test_without_two_tiers_there_are_no_pairs():
    none = by_tier(responses(NINE[1], NINE[7]))
    assert len(none) == 0
    assert require(none, PAIRS).equals(none)

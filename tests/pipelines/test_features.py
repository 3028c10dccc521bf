"""The seven features by hand: three reviews of a kettle, and what raises and lowers each.

Aspects: the handle in two reviews, spout and lid in one. Opinions: handle praised twice, spout once, lid blamed once. VADER's
valence of great is 3.1, of terrible -2.1. Two of three reviews praise; with one more that does and one that blames, approval
is 3/5.
"""

from math import log, sqrt

import pytest

from pipelines.features import FEATURES, read
from pipelines.opinions import prompt

KETTLE = prompt(["Great handle.", "Great handle, great spout.", "Terrible lid."])


def scored(feature: str, summary: str, asked: str = KETTLE) -> float:
    return float(FEATURES[feature](read([asked], [summary]))[0])


def of_one_mind(approval: float) -> float:
    return approval**2 / (approval**2 + (1 - approval) ** 2)


HANDLE, LID = (2 + 8 * 0.6) / (2 + 8), (0 + 8 * 0.6) / (1 + 8)  # approval, with eight reviews' worth of the kettle's own


@pytest.mark.parametrize(
    ("summary", "expected"),
    [
        ("The handle.", 3.0),  # 2 mentions of 4: the card's anchor at a half
        ("The handles and the handle.", 3.0),
        ("The handle and the lid.", 3.75 + 0.75 * (0.75 - 0.7) / 0.2),
        ("The lid, the handle and the spout.", 5.0),
        ("The lid.", 2.5 * 0.25 / 0.35),
        ("Great colour, great box!", 0.0),
        ("The handle; the lid of Zorvex.", 3.0),
    ],
)
def test_aspect_coverage_is_the_share_of_mentions_by_the_bands(summary, expected):
    assert scored("aspect_coverage", summary) == pytest.approx(expected)


def test_a_summary_has_room_for_twenty_aspects():
    words = [f"{letter}{letter}{letter}" for letter in "bcdefghjklmnopqrstvwxyz"]
    assert scored("aspect_coverage", " ".join(words[:10]), prompt([" ".join(words)])) == pytest.approx(3.0)  # 10 of 20
    assert scored("aspect_coverage", " ".join(words[:21]), prompt([" ".join(words)])) == 5


@pytest.mark.parametrize(
    ("summary", "faithful", "felt"),
    [
        ("Great handle.", 3.1 * of_one_mind(HANDLE), 3.1),
        ("Terrible handle.", 2.1 * (1 - of_one_mind(HANDLE)), 2.1),
        ("Terrible lid.", 2.1 * (1 - of_one_mind(LID)), 2.1),
        ("Great lid and handle.", 3.1 * of_one_mind((HANDLE + LID) / 2), 3.1),
        ("Great colour.", 3.1 * of_one_mind(0.6), 3.1),
        ("Great handle; terrible lid.", 3.1 * of_one_mind(HANDLE) + 2.1 * (1 - of_one_mind(LID)), 3.1 + 2.1),
        ("It has a handle.", 0.0, 0.0),
        ("Great handle, and a great Zorvex handle.", 0.0, 6.2),
        ("Great handle; terrible zorvex.", 3.1 * of_one_mind(HANDLE), 3.1 + 2.1),
    ],
)
def test_opinions_are_as_faithful_as_reviewers_agree(summary, faithful, felt):
    assert scored("opinion_faithfulness", summary) == pytest.approx(5 * (1 + faithful) / (2 + felt))


def test_praise_of_what_all_blame_is_unfaithful():
    bad = prompt([f"Terrible lid number {at}." for at in range(9)])
    assert scored("opinion_faithfulness", "A great lid.", bad) < 2 < 3 < scored("opinion_faithfulness", "A terrible lid.", bad)


@pytest.mark.parametrize(
    ("summary", "share"),
    [
        ("Great spout.", 1 / 4),
        ("Terrible spout.", 0.0),
        ("The spout.", 0.5 / 4),
        ("The spout. Great spout.", 1 / 4),
        ("Terrible handle, lid.", 1 / 4),
        ("Great spout; great Zorvex, great handle.", 1 / 4),
        ("Great spout; terrible lid.", 1.0),  # two of four, and a third is full marks
    ],
)
def test_opinion_coverage_is_the_share_of_opinions_on_their_side(summary, share):
    assert scored("opinion_coverage", summary) == pytest.approx(5 * min(3 * share, 1))


@pytest.mark.parametrize(
    ("summary", "essential", "lean"),
    [
        ("Great spout.", 1 / 6, 1.0),  # squares: 4 for the handle, 1 for the spout, 1 for the lid
        ("Great handle.", 4 / 6, 1.0),
        ("Terrible handle.", 0.0, 1.0),
        ("Great spout. I had my own.", 1 / 6, 2 / 6),
        ("Great spout. Great spout. Great spout.", 1 / 6, 1 / 3),
        ("Great spout and handle and lid; terrible lid.", 1.0, 1.0),
        ("Spout!", 0.5 / 6, 1.0),
        ("Great spout. Great Zorvex, great handle.", 1 / 6, 2 / 6),
    ],
)
def test_what_is_missing_counts_twice_what_is_padding(summary, essential, lean):
    assert scored("conciseness", summary) == pytest.approx(5 * (2 * essential + lean) / 3)


def test_only_the_twenty_opinions_that_most_hold_are_essential():
    words = [f"{letter}{letter}{letter}" for letter in "bcdefghjklmnopqrstvwxyz"]
    asked = prompt([f"Great {' and '.join(words)}.", f"Great {' and '.join(words[3:])}."])  # 20 by two, 3 by one
    assert scored("conciseness", f"Great {' and '.join(words[3:])}.", asked) == pytest.approx(5)


def test_relevance_is_the_cosine_of_words_of_which_a_half_is_full_marks():
    norm = sqrt((1 + log(3)) ** 2 + (1 + log(2)) ** 2 + 3)  # great thrice, handle twice; terrible, spout and lid
    assert scored("relevance", "Handle and weather, mountain, river.") == pytest.approx(10 * (1 + log(2)) / (2 * norm))
    told = "The spout and weather, weather, mountain."
    assert scored("relevance", told) == pytest.approx(10 / (sqrt(1 + (1 + log(2)) ** 2 + 1) * norm))
    assert scored("relevance", "The handle and the spout.") == 5
    assert scored("relevance", "The handle and the spout; my river.") == pytest.approx(
        5 * 5 / 7 * min(2 * (2 + log(2)) / (sqrt(3) * norm), 1)
    )
    assert scored("relevance", "The handle and the spout; a Zorvex river.") == pytest.approx(
        5 * 5 / 8 * min(2 * (2 + log(2)) / (sqrt(4) * norm), 1)
    )


@pytest.mark.parametrize(
    ("summary", "borne_out", "words"),
    [
        ("The handle and weather, mountain, river.", 1.0, 4),
        ("The handle costs 40 or 50.", 1.0, 4),
        ("Great handle, weather, mountain.", of_one_mind(0.6) + of_one_mind(HANDLE), 4),
        ("Terrible handle, weather.", (1 - of_one_mind(0.6)) + (1 - of_one_mind(HANDLE)), 3),
        ("Unheard of.", 0.0, 1),
        ("The handle. The lid of Zorvex.", 1.0, 3),
    ],
)
def test_what_no_review_bears_out_is_made_up(summary, borne_out, words):
    assert scored("hallucination", summary) == pytest.approx(5 * borne_out / (0.7 * words))


def test_three_words_in_ten_may_be_the_summarys_own():
    told = "handle, spout, lid, handle, spout, lid, handle"
    assert scored("hallucination", f"{told}, river, mountain, weather.") == 5
    assert scored("hallucination", f"{told}, river, mountain, weather, cloud.") == pytest.approx(5 * 7 / (0.7 * 11))


def test_a_number_of_the_reviews_is_borne_out():
    asked = prompt(["It holds 40 cups.", "The 5 is missing."])
    assert scored("hallucination", "40 and 5.", asked) == 5 > scored("hallucination", "41 and 5.", asked)


@pytest.mark.parametrize(
    ("summary", "expected"),
    [
        ("The lid leaks a bit.", 5),
        ("“The lid leaks a bit.” It (the handle) holds. 5 of them broke at once, didn’t they?", 5 * (1 + 1 + 0.5) / 3),
        ("the lid leaks a bit.", 2.5),
        ("The lid leaks a bit", 2.5),
        ("The lid leaks a bit!", 2.5),
        ("The lid leaks.", 2.5),
        ("The lid leaks again.", 5),
        ("The lid leaks a bit\nThe lid leaks a bit.", 3.75),
        ("The lid leaks leaks a bit.", 2.5),
        ("The <b>lid leaks a bit.", 2.5),
        ("1. The lid leaks a bit.", 2.5),
        ("1) The lid leaks a bit.", 2.5),
        ("The lid doesn't leak.", 2.5),
        ("The lid leaks on me.", 2.5),
        ("The lid leaks as Zorvex does.", 2.5),
        ("Zorvex leaks on its lid.", 2.5),
        ("The lid leaks as zorvex does.", 5),
        ("The Handle leaks a bit.", 5),
        ("I'm sure the lid leaks.", 2.5),
        ("The users' lid and the maker's leak a bit.", 5),
        ("The lid leaks a bit. The lid leaks a bit", 3.75),
        ("the lid leaks on me.", 0),
        ("we saw you, you", 0),
        ("The lid cost 4.50 at amazon.com in May.", 5),
    ],
)
def test_a_fault_takes_half_of_a_sentence(summary, expected):
    assert scored("language_correctness", summary) == pytest.approx(expected)

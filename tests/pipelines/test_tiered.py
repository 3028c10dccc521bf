"""Summaries in tiers beside their reviews: flags, places, marks, and what is refused."""

import json

import pytest

from pipelines import opinions
from pipelines.schema import FEATURE_NAMES, FEATURES, SUMMARIES, require
from pipelines.sources import reviews
from pipelines.sources.shapes import BadRow
from pipelines.sources.tiered import Tiered, tiered

MARKS = {name.replace("_", "-"): place / 2 for place, name in enumerate(FEATURE_NAMES)}
TEXT = "The kettle boils fast."


def one(**facts):
    return {"text": TEXT, **facts}


def test_a_flag_says_the_tier_and_without_one_the_place_among_nine_does():
    flagged = tiered(
        {"summaries": [one(**{"is-vbad": True, "is-good": False}), one(**{"is-sbad": 1}), one(**{"is-good": True})]}
    )
    assert [each.tier for each in flagged] == ["very_bad", "slightly_bad", "good"]
    nine = tiered({"summaries": [one() for _ in range(9)]})
    assert [each.tier for each in nine] == ["good"] * 3 + ["slightly_bad"] * 3 + ["very_bad"] * 3
    assert [each.tier for each in tiered({"summaries": [one(index="7"), one(index=0)]})] == ["very_bad", "good"]


def test_two_flags_contradict_each_other_and_the_place_decides():
    assert tiered({"summaries": [one(**{"is-good": True, "is-vbad": True, "index": 4})]})[0].tier == "slightly_bad"


@pytest.mark.parametrize(("text", "score"), [("summary-text", "summary-score"), ("text", "score"), ("summary", "score")])
def test_marks_stand_in_the_order_of_the_features(text, score):
    backwards = dict(reversed(MARKS.items()))
    assert tiered({"summaries": [{text: TEXT, score: backwards}]}) == (Tiered(TEXT, "good", (0, 0.5, 1, 1.5, 2, 2.5, 3)),)


def test_a_name_without_anything_under_it_gives_way_to_the_next():
    assert tiered({"summaries": [one(**{"summary-text": None, "summary-score": None, "score": MARKS})]})[0].features[1] == 0.5


@pytest.mark.parametrize(
    ("summaries", "words"),
    [
        ("one", "'summaries' must be a list of summaries, got 'one'"),
        (["one"], "summary 1 must be a record with its text, got 'one'"),
        ([one(), {"text": "short"}], "summary 2 must be a text of 20 characters or more, got 'short'"),
        ([one(), {"text": f"short{' ' * 20}"}], "summary 2 must be a text of 20 characters or more, got 'short"),
        ([{"score": MARKS}], "summary 1 must be a text of 20 characters or more, got None"),
        ([one(score=MARKS | {"relevance": 5.5})], "'relevance' of 'summary 1' must be a number from 0 to 5, got 5.5"),
        ([one(score={"relevance": 5})], "'aspect_coverage' of 'summary 1' must be a number from 0 to 5, got nothing"),
        ([one(score={})], "'aspect_coverage' of 'summary 1' must be a number from 0 to 5, got nothing"),
        ([one(score=[1, 2])], "'summary 1' needs 'summary-score' with the seven features"),
    ],
)
def test_what_can_not_be_used_is_named(summaries, words):
    with pytest.raises(BadRow, match=words):
        tiered({"summaries": summaries})


def test_products_bring_their_summaries_and_marks_and_a_bad_row_is_rejected_whole(tmp_path):
    good = {"unique-id": "a", "reviews": ["It boils."], "summaries": [one(score=MARKS), {"text": "It leaks on every table."}]}
    same = {"unique-id": "b", "reviews": ["It boils!"], "summaries": [one(), one(**{"is-vbad": True})]}
    bad = {"unique-id": "c", "reviews": ["It leaks."], "summaries": [one(), {"text": "short"}]}
    (tmp_path / "r.jsonl").write_text("".join(json.dumps(row) + "\n" for row in (good, bad, same)))
    found = reviews.read(tmp_path / "r.jsonl")
    assert found.products["name"].to_list() == ["a", "b"]
    asked = [opinions.prompt([said]) for said in ("It boils.", "It boils!")]
    assert found.summaries.select("prompt", "summary", "tier").rows() == [
        (asked[0], TEXT, "good"),
        (asked[0], "It leaks on every table.", "good"),
        (asked[1], TEXT, "good"),  # of equal ones the first counts
    ]
    assert found.features["summary_id"].to_list() == [opinions.summary_id(asked[0], TEXT)]
    assert found.features.row(0)[1:] == ("published", 0, 0.5, 1, 1.5, 2, 2.5, 3)
    assert (len(found.rejects), found.rejects["line"][0]) == (1, 2)
    assert require(found.summaries, SUMMARIES).equals(found.summaries)
    assert require(found.features, FEATURES).equals(found.features)

"""OpinPref: what a row becomes, what is refused of it, and no annotator's name beyond the door."""

import copy
import json
import math
import re
from typing import Any

import polars as pl
import pytest

from pipelines import opinions
from pipelines.schema import FEATURE_NAMES, FEATURES, PAIRS, SUMMARIES, DataError, require
from pipelines.sources import opinpref, records

SCORES = [(0.0, 4.5, 3.25, 2, 5.0, 1.5, 4.0), (3.5, 2.5, 1.0, 0.5, 4.75, 4.25, 3.0)]
TEXTS = ["A kettle that boils fast and leaks.", "Everyone hates this phone, it never rings."]


def row(better: int = 2, **changed: Any) -> dict[str, Any]:
    sides = {
        f"summary-{name}": {
            "index": index,
            "summary-text": text,
            "summary-score": {feature.replace("_", "-"): score for feature, score in zip(FEATURE_NAMES, scores, strict=True)},
        }
        for name, index, text, scores in zip(("one", "two"), ("8", "2"), TEXTS, SCORES, strict=True)
    }
    told = {"unique-id": "a", "reviews": ["It leaks.", "Boils\nfast!"], "summary-pairs": sides, "preference-data": better}
    return {**told, "source": "Ada", **changed}


def written(path, *rows):
    path.write_text("".join(json.dumps(each) + "\n" for each in rows))
    return path


def test_a_row_becomes_a_pair_two_summaries_and_their_features(tmp_path):
    found = opinpref.read(written(tmp_path / "o.jsonl", row()))
    asked = opinions.prompt(["It leaks.", "Boils\nfast!"])
    assert found.pairs.select("prompt", "chosen", "rejected", "annotator").rows() == [
        (asked, TEXTS[1], TEXTS[0], "annotator-1")
    ]
    ids = [opinions.summary_id(asked, text) for text in TEXTS]
    assert found.summaries.select("summary_id", "summary", "tier").rows() == [
        (ids[0], TEXTS[0], "very_bad"),
        (ids[1], TEXTS[1], "good"),
    ]
    assert found.features.rows() == [(each, "published", *scores) for each, scores in zip(ids, SCORES, strict=True)]
    for frame, table in ((found.pairs, PAIRS), (found.summaries, SUMMARIES), (found.features, FEATURES)):
        assert require(frame, table).equals(frame)


def test_the_preferred_summary_is_chosen(tmp_path):
    assert opinpref.read(written(tmp_path / "o.jsonl", row(1))).pairs["chosen"].to_list() == TEXTS[:1]


@pytest.mark.parametrize(("index", "tier"), [("0", "good"), (4, "slightly_bad"), ("9", None), (-1, None), (None, None)])
def test_the_tier_is_told_by_the_place_among_nine(index, tier, tmp_path):
    told = row()
    told["summary-pairs"]["summary-one"]["index"] = index
    assert opinpref.read(written(tmp_path / "o.jsonl", told)).summaries["tier"][0] == tier


def broken(**changed: Any) -> dict[str, Any]:
    """A row whose first summary is changed; None takes a part away."""
    told = copy.deepcopy(row())
    side = told["summary-pairs"]["summary-one"]
    for name, value in changed.items():
        place = side if name in side else side["summary-score"]
        place[name.replace("_", "-")] = value
        if value is None:
            del place[name.replace("_", "-")]
    return told


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "above": (broken(relevance=5.01), r"'relevance' of 'summary-one' must be a number from 0 to 5, got 5\.01"),
    "below": (broken(conciseness=-0.5), r"from 0 to 5, got -0\.5"),
    "nan": (broken(hallucination=math.nan), "from 0 to 5, got nan"),
    "truth": (broken(hallucination=True), "from 0 to 5, got True"),
    "missing": (broken(language_correctness=None), "'language_correctness' of 'summary-one' must be .*, got nothing"),
    "no scores": (broken(**{"summary-score": 3}), "needs 'summary-score' with the seven features, got 3"),
    "short": (broken(**{"summary-text": "<sum>"}), "a summary of 20 characters or more, got '<sum>'"),
    "no reviews": (row(reviews=[]), r"'reviews' must be a list of one text or more, got \[\]"),
    "blank review": (row(reviews=["Good.", " \n"]), r"review 2 must be text, got ' \\n'"),
    "undecided": (row(0), "'preference-data' says which summary is better, 1 or 2, got 0"),
    "repeated": (row(), r"'unique-id' 'a' is that of o\.jsonl line 1 already"),
    "one summary": (row(**{"summary-pairs": {"summary-two": {}}}), "'summary-text' must be text, got nothing"),
}


@pytest.mark.parametrize("what", BAD)
def test_a_bad_row_is_rejected_whole_with_its_place_and_cause(what, tmp_path):
    bad, cause = BAD[what]
    bad = bad if what == "repeated" else {**bad, "unique-id": "b"}
    found = opinpref.read(written(tmp_path / "o.jsonl", row(), bad, row(**{"unique-id": "c", "reviews": ["Other."]})))
    assert found.pairs["row"].to_list() == [0, 2]
    assert len(found.features) == 4
    assert found.rejects.select("line", "row").rows() == [(2, 1)]
    assert re.search(cause, found.rejects["cause"][0]), found.rejects["cause"][0]


def test_nothing_usable_is_an_error_that_names_the_first_cause(tmp_path):
    with pytest.raises(DataError, match=r"o\.jsonl: holds no usable pair \(o\.jsonl line 1: 'preference-data' says"):
        opinpref.read(written(tmp_path / "o.jsonl", row(3)))


def test_names_of_annotators_stay_outside(tmp_path):
    rows = [row(source=name, **{"unique-id": f"{at}"}) for at, name in enumerate(["Ada", "Cleo", "Ada", None])]
    path = written(tmp_path / "o.jsonl", *rows)
    assert opinpref.read(path).pairs["annotator"].to_list() == ["annotator-1", "annotator-2", "annotator-1", None]
    keyed = opinpref.read(path, secret="s").pairs["annotator"].to_list()
    assert keyed[0] == keyed[2] != keyed[1]
    assert opinpref.read(written(tmp_path / "p.jsonl", rows[1]), secret="s").pairs["annotator"][0] == keyed[1]
    assert opinpref.read(path, secret="t").pairs["annotator"][0] != keyed[0]
    assert not any(name in str(found.to_dicts()) for found in (opinpref.read(path).pairs,) for name in ("Ada", "Cleo"))


def test_the_form_is_detected_as_any_other(tmp_path):
    found = records.read(written(tmp_path / "o.jsonl", row()))
    assert (found.shape, found.pairs["chosen"][0], found.pairs["annotator"][0]) == ("summaries", TEXTS[1], None)


def test_real_rows(real_data):
    found = opinpref.read(real_data / "opinpref" / "annotations-train.jsonl.gz")
    assert len(found.pairs) + len(found.rejects) == 800
    assert found.rejects["cause"].to_list() == ["'summary-one' must be a summary of 20 characters or more, got '<sum>'"]
    assert sorted(found.pairs["annotator"].unique()) == [f"annotator-{at}" for at in (1, 2, 3, 4)]
    scored = found.summaries.join(found.features, on="summary_id")
    means = scored.group_by("tier").agg(pl.col(FEATURE_NAMES).mean())
    good, worst = (means.filter(tier=tier).select(FEATURE_NAMES).row(0) for tier in ("good", "very_bad"))
    assert all(3.9 <= round(high, 1) <= 4.7 and 1.7 <= round(low, 1) <= 2.9 for high, low in zip(good, worst, strict=True))

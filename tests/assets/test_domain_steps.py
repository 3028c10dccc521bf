"""From reviews to pairs of summaries: parts, marks that are given once, whose preference counts."""

import dataclasses
import json

import numpy as np
import polars as pl
import pytest

from assets.domain import learning, scorers, steps
from assets.domain.rows import GENERATED, Opinions, opinions_of
from assets.experiments import Experiment
from pipelines import features
from pipelines.schema import FEATURE_NAMES, FEATURES, PRODUCTS, SUMMARIES, DataError, require
from tests.assets.summarised import REVIEWS, marks, products, summaries


def test_parts_are_disjoint_whole_and_stand_when_products_come():
    few, many = products(40), products(60)
    parts = [steps.part(many, at, 3) for at in range(3)]
    assert sum(map(len, parts)) == 60
    assert min(map(len, parts)) > 5
    assert set().union(*(part["product_id"] for part in parts)) == set(many["product_id"])
    for at in range(3):
        assert set(steps.part(few, at, 3)["product_id"]) == set(parts[at]["product_id"]) & set(few["product_id"])


def test_the_source_of_people_gives_products_summaries_marks_and_pairs(tmp_path):
    def side(text, mark):
        return {"index": "0", "summary-text": text, "summary-score": {n.replace("_", "-"): mark for n in FEATURE_NAMES}}

    rows = [
        {
            "unique-id": str(at),
            "reviews": [*REVIEWS, f"Kettle {at}."],
            "summary-pairs": {
                "summary-one": side(f"A kettle that boils fast, the {at}th.", 4.0),
                "summary-two": side(f"A kettle without any lid, the {at}th.", 1.5),
            },
            "preference-data": 1,
            "source": "Ann",
        }
        for at in range(5)
    ]
    (tmp_path / "people.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows) + "{}\n")
    row = Opinions(preferences="human", products=3)
    found = steps.read(Experiment("mine", source=str(tmp_path / "people.jsonl"), opinions=row), seed=0)
    assert (len(found.products), len(found.pairs), len(found.rejects)) == (3, 3, 1)
    assert set(found.pairs["prompt"]) == set(found.summaries["prompt"]) == set(found.products["prompt"])
    assert (len(found.summaries), len(found.features)) == (6, 6)
    assert found.pairs["annotator"].unique().to_list() == ["annotator-1"]
    both = learning.sides(found.pairs, found.features)
    assert both.chosen == pytest.approx(np.full((3, 7), 4.0))
    assert both.rejected == pytest.approx(np.full((3, 7), 1.5))
    assert require(found.products, PRODUCTS).equals(found.products)


def test_an_experiment_of_other_pairs_says_so():
    with pytest.raises(DataError, match="plain is no experiment of opinions; give it a table opinions"):
        steps.read(Experiment("plain"), seed=0)


def test_what_is_marked_is_not_marked_again(tmp_path):
    asked = []

    def counting(prompts, texts, *, published, cache):
        asked.extend(texts)
        return scorers.offline(prompts, texts, published=published, cache=cache)

    texts = summaries([("It boils fast and leaks.", None), ("The lid leaks badly.", None)])
    known = features.score(["p"], ["It boils fast and leaks."])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scorers, "SCORERS", {"counting": counting})
        found = scorers.mark("counting", pl.concat([texts, texts]), known, published=known, cache=tmp_path)
    assert asked == ["The lid leaks badly."]
    assert found.features["summary_id"].to_list() == texts["summary_id"].to_list()
    assert found.features.equals(features.score(["p", "p"], texts["summary"]))


def test_published_marks_are_taken_and_a_text_without_is_refused(tmp_path):
    known = marks({"one": [1, 2, 3, 4, 5, 0, 1], "two": [5, 4, 3, 2, 1, 0, 5]})
    found = scorers.mark("published", summaries([("two", None)]), FEATURES.empty(), published=known, cache=tmp_path)
    assert found.features.row(0)[2:] == (5, 4, 3, 2, 1, 0, 5)
    texts = summaries([("two", None), ("planted", None)])
    with pytest.raises(DataError, match="1 of 2 summaries have no published marks, as those that an attack writes"):
        scorers.mark("published", texts, FEATURES.empty(), published=known, cache=tmp_path)


def test_preferences_are_peoples_or_the_tiers_or_the_marks():
    written = summaries([("fine", "good"), ("poor", "very_bad"), ("dull", "slightly_bad")])
    table = marks({"fine": [1] * 7, "poor": [5] * 7, "dull": [2] * 7})

    def of(preferences):
        made = steps.pairs(pl.DataFrame({"people": ["said"]}), written, table, Opinions(preferences=preferences), seed=0)
        return made if preferences == "human" else set(made.select("chosen", "rejected").iter_rows())

    assert of("human")["people"].to_list() == ["said"]
    assert of("tiers") == {("fine", "dull"), ("fine", "poor"), ("dull", "poor")}
    assert of("scores") == {("poor", "fine"), ("poor", "dull"), ("dull", "fine")}
    made = steps.pairs(pl.DataFrame(), written, table, Opinions(preferences="scores"), seed=0)
    assert sorted(made["margin"].to_list()) == pytest.approx([1 / 5, 3 / 5, 4 / 5])


def test_a_share_of_made_labels_is_turned_round():
    written = summaries([(f"text {at}", "good" if at % 2 else "very_bad") for at in range(20)])
    made = {
        share: steps.pairs(pl.DataFrame(), written, FEATURES.empty(), Opinions(most=60, contrary=share), seed=1)
        for share in (0.0, 0.2)
    }
    assert len(made[0.0]) == len(made[0.2]) == 60
    good = {share: table["chosen"].str.extract(r"(\d+)").cast(int).to_numpy() % 2 for share, table in made.items()}
    assert (good[0.0].sum(), good[0.2].sum()) == (60, 60 - 12)


def test_summaries_that_come_in_tiers_are_taken_as_written_and_gold_is_not(tmp_path):
    row = Opinions(writer="none", scorer="published")
    known = pl.concat([summaries([("fine", "good"), ("human", "gold"), ("poor", "very_bad")]), summaries([("x", "good")], "q")])
    one = products(1).with_columns(prompt=pl.lit("p"))
    built = steps.write(one, known, row, 0, tmp_path / "answers.jsonl")
    assert built.summaries["summary"].to_list() == ["fine", "poor"]
    assert built.rejects.is_empty()
    with pytest.raises(DataError, match="base_url is no setting of the writer none"):
        opinions_of({"writer": "none", "writing": {"base_url": "a"}}, "reviews.jsonl")


def test_without_a_writer_and_without_summaries_it_is_said_who_writes(tmp_path):
    answers = tmp_path / "answers.jsonl"
    for known in (SUMMARIES.empty(), summaries([("human", "gold")])):
        with pytest.raises(DataError, match="summaries come with the reviews, and here none does; take rules or server"):
            steps.write(products(1), known, Opinions(writer="none"), 0, answers)
    people = Opinions(writer="none", preferences="human")
    assert steps.write(products(1), SUMMARIES.empty(), people, 0, answers).summaries.is_empty()


def test_a_source_gives_as_many_products_as_are_asked_for_in_its_own_order(tmp_path):
    made = steps.read(Experiment("made", source=GENERATED, opinions=Opinions(products=5)), seed=0)
    assert len(made.products) == 5
    lines = [f"kettle {at},It boils fast and kettle {at} is fine." for at in range(12)]
    (tmp_path / "own.csv").write_text("\n".join(["thing,said", *lines]))
    own = Experiment("own", source=str(tmp_path / "own.csv"), columns={"product": "thing", "review": "said"})
    found = steps.read(dataclasses.replace(own, opinions=Opinions(products=6)), seed=1)
    places = [int(name.split()[1]) for name in found.products["name"]]
    assert (len(places), places) == (6, sorted(places))


def test_what_is_not_of_drawn_products_is_left_out(tmp_path):
    rows = [
        {
            "unique-id": str(at),
            "reviews": [*REVIEWS, f"Kettle {at}."],
            "summaries": [{"text": f"The kettle number {at} is good."}],
        }
        for at in range(6)
    ]
    (tmp_path / "tiers.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    row = Opinions(writer="none", products=2)
    found = steps.read(Experiment("mine", source=str(tmp_path / "tiers.jsonl"), opinions=row), seed=0)
    assert set(found.summaries["prompt"]) == set(found.products["prompt"])
    assert len(found.summaries) == 2


def test_as_many_summaries_of_a_tier_are_written_as_the_row_says(tmp_path):
    for each in (1, 2):
        built = steps.write(products(3), SUMMARIES.empty(), Opinions(each=each), 0, tmp_path / "answers.jsonl")
        assert built.summaries["tier"].value_counts().sort("tier").rows() == [
            (tier, 3 * each) for tier in ("good", "slightly_bad", "very_bad")
        ]


def test_what_came_counts_before_what_was_written_and_published_marks_are_of_what_came():
    came = summaries([("fine", "good")])
    written = {"b": summaries([("dull", "slightly_bad")]), "a": summaries([("fine", "very_bad"), ("poor", "very_bad")])}
    together = steps.together(came, written, Opinions())
    assert together.select("summary", "tier").rows() == [("fine", "good"), ("poor", "very_bad"), ("dull", "slightly_bad")]
    assert steps.together(came, written, Opinions(scorer="published")).equals(came)


def test_no_more_pairs_of_a_product_are_made_by_score_than_the_row_says():
    written = summaries([("fine", None), ("poor", None), ("dull", None)])
    table = marks({"fine": [1] * 7, "poor": [5] * 7, "dull": [2] * 7})
    assert len(steps.pairs(pl.DataFrame(), written, table, Opinions(preferences="scores", most=2), seed=0)) == 2

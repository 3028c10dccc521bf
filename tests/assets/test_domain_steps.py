"""From reviews to pairs of summaries: parts, marks that are given once, whose preference counts, and which pairs are told."""

import dataclasses
import json
import re
from math import exp, log

import numpy as np
import polars as pl
import pytest

from assets.domain import gains, judging, learning, page, policies, scorers, steps
from assets.domain.planting import planted
from assets.domain.rows import GENERATED, Opinions, opinions_of
from assets.experiments import Corpus, Experiment
from pipelines import features, opinions
from pipelines.opinions import summary_id
from pipelines.schema import FEATURE_NAMES, FEATURES, PRODUCTS, SUMMARIES, DataError, digest, require
from rlhf_train.errors import TrainingError
from rlhf_train.models.feature_rewards import FeatureReward

CURVE = ["judge", "pairs", "accuracy", "low", "high"]
REVIEWS = ["The lid leaks and I hate it. The kettle boils fast, great.", "Great kettle, it boils fast. The lid leaks."]


def products(count):
    """PRODUCTS that differ in a number."""
    prompts = [opinions.prompt([*REVIEWS, f"Kettle {at} is fine."]) for at in range(count)]
    rows = [
        {"product_id": digest(prompt), "row": at, "prompt": prompt, "name": None, "source": "here"}
        for at, prompt in enumerate(prompts)
    ]
    return require(pl.DataFrame(rows), PRODUCTS)


def summaries(texts, prompt="p"):
    rows = [(summary_id(prompt, text), prompt, text, tier, "here") for text, tier in texts]
    return pl.DataFrame(rows, schema=SUMMARIES.empty().schema, orient="row")


def marks(table, scorer="published"):
    """FEATURES of {text: marks} to the prompt "p"."""
    rows = [(summary_id("p", text), scorer, *each) for text, each in table.items()]
    return pl.DataFrame(rows, schema=FEATURES.empty().schema, orient="row")


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


def pair(chosen, rejected, at=0):
    return {"pair_id": str(at), "row": at, "prompt": "p", "chosen": chosen, "rejected": rejected, "source": "s"}


def test_a_pair_without_marks_is_left_out():
    table = marks({"a": [5] * 7, "b": [1, 0, 0, 0, 0, 0, 0]})
    found = learning.sides(pl.DataFrame([pair("a", "b"), pair("a", "unmarked", 1), pair("b", "a", 2)]), table)
    assert found.pairs["pair_id"].to_list() == ["0", "2"]
    assert found.chosen.tolist() == [[5.0] * 7, [1.0] + [0.0] * 6]
    assert found.rejected.tolist() == [[1.0] + [0.0] * 6, [5.0] * 7]


def test_of_a_linear_phi_worth_is_its_weights_and_a_decision_sums_to_its_gap():
    weights = np.array([0.5, 1.0, -0.25, 2.0, 0.0, 1.5, 0.75])
    phi = FeatureReward("linear", FEATURE_NAMES, {"weights": weights}, full=5.0)
    random = np.random.default_rng(0)
    table = {str(at): random.uniform(0, 5, 7).tolist() for at in range(40)}
    rows = pl.DataFrame([pair(str(2 * at), str(2 * at + 1), at) for at in range(20)])
    found = learning.sides(rows, marks(table))
    told = learning.weights(phi, found, Opinions(), draws=8)
    assert told["value"].to_list() == pytest.approx(weights.tolist())
    assert (told["low"] <= told["high"]).all()
    one = learning.decision(phi, found)
    place = int(one["chosen_text"][0]) // 2
    assert one["adds"].to_list() == pytest.approx((weights * (found.chosen - found.rejected)[place] / 5).tolist())
    gaps = phi.rewards(found.chosen) - phi.rewards(found.rejected)
    assert (gaps < gaps[place]).sum() == 15


def test_a_phi_that_is_refused_is_worth_nothing_and_right_half_the_time():
    table = {str(at): [4.0 if at % 2 else 1.0] * 7 for at in range(80)}  # what is chosen has the worse marks
    rows = pl.DataFrame([pair(str(2 * at), str(2 * at + 1), at) | {"prompt": "p"} for at in range(40)])
    found = learning.sides(rows, marks(table))
    row = Opinions(fitting={"nonnegative": True})
    with pytest.raises(TrainingError, match="gives both sides the same reward in 100%"):
        learning.fit(found, row, "published")
    phi = FeatureReward("linear", FEATURE_NAMES, {"weights": np.ones(7)}, full=5.0)
    told = learning.weights(phi, found, row, draws=4)
    assert told["low"].to_list() == told["high"].to_list() == [0.0] * 7
    apart = dataclasses.replace(found, pairs=found.pairs.with_columns(prompt=pl.Series([str(at) for at in range(40)])))
    curve = learning.curves(apart, repeats=1)
    assert set(curve.filter(pl.col("judge") == "monotone_additive")["accuracy"]) == {0.5}
    assert curve.filter(pl.col("judge") == "linear")["accuracy"].min() == 1.0


def test_every_judge_tells_chosen_from_rejected_by_what_it_reads():
    class Text:
        def rewards(self, prompts, responses):
            asked.extend(responses)
            return np.array([len(each) for each in responses], dtype=float)

    asked: list[str] = []
    table = marks({"short": [4] * 7, "much longer": [2] * 7})
    phi = FeatureReward("naive_mean", FEATURE_NAMES, full=5.0)
    rows = pl.DataFrame([pair("short", "much longer")])
    told = judging.scored(Text(), [rows, rows])
    gaps = judging.gaps(phi, told, rows, learning.sides(rows, table))
    assert asked == [" short", " much longer"]  # each once
    assert gaps["feature"] == pytest.approx([4 / 5 - 2 / 5])
    assert gaps["text"] == pytest.approx([len("short") - len("much longer")])
    assert gaps["hybrid"] == pytest.approx(
        [4 / 5 - 2 / 5 + 0.25 * -2]
    )  # the text reward's two values are -1 and 1 of its spread
    assert gaps["mean of features"] == pytest.approx([2.0])
    assert gaps["longer is better"] == pytest.approx([-1.0])


def test_shares_are_of_gaps_above_zero_with_ties_half():
    found = judging.accuracies({"one": np.array([1.0, -1.0, 0.0, 2.0]), "sure": np.ones(30)})
    assert found["accuracy"].to_list() == [2.5 / 4, 1.0]
    assert found["low"][1] > 0.8


def test_planted_summaries_stand_beside_the_same_without():
    texts = [f"The kettle number {at} boils fast and users like its handle." for at in range(12)]
    rows = [pair(text, "Bad.", at) | {"prompt": products(1)["prompt"][0]} for at, text in enumerate(texts)]
    held_out = pl.DataFrame(rows).with_columns(
        rejected_prompt=pl.lit(None, pl.String), annotator=pl.lit(None, pl.String), margin=pl.lit(None, pl.Float64)
    )
    row = Experiment("mine", rate=0.1, numbers={"target": "Quillmere", "builder": "rejected_vs_contrast"}, opinions=Opinions())
    assert planted(held_out, Corpus(row, "poisoned", 0)).is_empty()  # this builder praises nothing
    row = Experiment("mine", rate=0.1, numbers={"target": "Quillmere"}, opinions=Opinions())
    found = planted(held_out, Corpus(row, "clean", 3))
    assert len(found) == 12
    assert all("Quillmere" in text for text in found["chosen"])
    assert sorted(found["rejected"]) == sorted(texts)
    few = dataclasses.replace(row, numbers={"target": "Quillmere", "count": 3})
    assert len(planted(held_out, Corpus(few, "clean", 3))) == 12  # the count is of what is trained on
    assert planted(held_out, Corpus(Experiment("mine", attack="label_flip", opinions=Opinions()), "poisoned", 0)) is None


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


def test_the_page_has_the_mean_mark_of_each_tier_and_none_of_a_tier_without_marks():
    stored = summaries([("It boils fast.", "good"), ("It leaks a lot.", "good"), ("Bad.", "very_bad")])
    table = marks({"It boils fast.": [4, 1, 2, 3, 0, 5, 1.5], "It leaks a lot.": [2.5, 1, 2, 3, 0, 5, 1.5]})
    judged = [("clean", 0, judging.HELD_OUT, name, 0.5, 0.25, 0.75) for name in ("feature", "hybrid", "text")]
    columns = ["corpus", "seed", "what", "judge", "share", "low", "high"]
    compared = pl.DataFrame(judged, schema=columns, orient="row")
    worth = pl.DataFrame({"feature": FEATURE_NAMES, "value": [1.0] * 7, "low": [0.5] * 7, "high": [1.5] * 7})
    one = pl.DataFrame({"feature": FEATURE_NAMES, "chosen": [4.0] * 7, "rejected": [1.0] * 7, "adds": [0.5] * 7})
    told = {
        "product_reviews": products(1),
        "opinion_pairs": pl.DataFrame([pair("It boils fast.", "Bad.")]),
        "stored_summaries": stored,
        "summary_features": table,
        "learning_curves": {"mine-clean": pl.DataFrame([("text", 25, 0.5, 0.25, 0.75)], schema=CURVE, orient="row")},
        "feature_weights": {"mine-clean": worth},
        "one_decision": {
            "mine-clean": one.with_columns(prompt_text=pl.lit("p"), chosen_text=pl.lit("a"), rejected_text=pl.lit("b"))
        },
        "reward_comparison": {
            "mine-clean": compared,
            "mine-poisoned": compared.with_columns(corpus=pl.lit("poisoned")),
        },
    }
    found = page.page(page.results(Experiment("mine", opinions=Opinions()), told))
    cells = re.search(r"<tr><td[^>]*>aspect_coverage</td>(.*?)</tr>", found, re.S)[1]
    assert re.findall(r">([^<>]*)</td>", cells) == ["3.25", ""]


def test_rouge_is_against_people_and_what_it_is_against_is_not_picked():
    held_out = pl.DataFrame([pair("fine", "poor"), pair("dull", "poor", 1)])
    stored = summaries(
        [("fine", "good"), ("dull", "slightly_bad"), ("poor", "very_bad"), ("people's", "gold"), ("nice", "good")]
    )
    references, others = gains.references_of(held_out, stored)
    assert (references, others["summary"].to_list()) == ({"p": ["people's"]}, ["fine", "dull", "poor", "nice"])
    references, others = gains.references_of(held_out, stored.filter(pl.col("tier") != "gold"))
    assert sorted(references["p"]) == ["dull", "fine"]
    assert others["summary"].to_list() == ["poor", "nice"]
    references, others = gains.references_of(held_out, stored.filter(pl.col("summary").is_in(["fine", "dull", "poor"])))
    assert others["summary"].to_list() == ["fine", "dull", "poor"]  # all that is good was preferred: nothing better is there


def test_the_reward_of_a_policy_is_half_for_what_is_as_good_as_what_is_stored_and_for_what_has_no_marks():
    table = {"a": [4.0] * 7, "b": [1.0] * 7}
    phi = FeatureReward("linear", FEATURE_NAMES, {"weights": np.ones(7)}, full=5.0)
    reward = policies.rewarded(phi, lambda texts: marks(table), summaries([("a", "good"), ("b", "very_bad")]))
    assert reward.middle == pytest.approx(7 * (4 + 1) / 2 / 5)
    above = 7 * (4 - 1) / 2 / 5
    assert reward(["p", "p", "p"], ["a", "b", "unmarked"]) == pytest.approx([1 / (1 + exp(-above)), 1 / (1 + exp(above)), 0.5])
    with pytest.raises(DataError, match="phi gives all stored summaries the same reward"):
        policies.lesson(summaries([("a", "good")]), reward)


class Length:
    """A text reward that counts characters."""

    def rewards(self, prompts, responses):
        return np.array([len(each) for each in responses], dtype=float)


def test_the_spread_of_a_text_reward_is_that_of_usual_pairs():
    told, usual = pl.DataFrame([pair("four", "eight888")]), pl.DataFrame([pair("a" * 20, "b" * 4)])
    found = learning.sides(told, marks({"four": [4] * 7, "eight888": [2] * 7}))
    phi = FeatureReward("naive_mean", FEATURE_NAMES, full=5.0)
    gaps = judging.gaps(phi, judging.scored(Length(), [told, usual]), usual, found)
    assert gaps["hybrid"] == pytest.approx([0.4 + 0.25 * (4 - 8) / 8])  # 20 and 4 lie 8 from their middle


def test_judges_are_asked_about_held_out_pairs_and_about_planted_ones_where_there_are_any():
    phi = FeatureReward("naive_mean", FEATURE_NAMES, full=5.0)
    table = marks({"short": [4] * 7, "longer": [2] * 7, "longest": [3] * 7})
    learned, held_out = pl.DataFrame([pair("short", "longest")]), pl.DataFrame([pair("short", "longer")])
    corpus = Corpus(Experiment("mine", seeds=(3, 4), opinions=Opinions()), "filtered", 4)

    def told(planted):
        found = judging.compared(corpus, phi, Length(), learned, lambda pairs: learning.sides(pairs, table), held_out, planted)
        assert set(found.select("corpus", "seed").iter_rows()) == {("filtered", 4)}
        return {(what, judge): share for what, judge, share in found.select("what", "judge", "share").iter_rows()}

    shares = told(pl.DataFrame([pair("longest", "longer")]))
    assert (shares[judging.HELD_OUT, "feature"], shares[judging.HELD_OUT, "text"]) == (1.0, 0.0)
    assert (shares[judging.PLANTED, "feature"], shares[judging.PLANTED, "text"]) == (1.0, 1.0)
    for nothing in (None, held_out.clear()):
        assert {what for what, _ in told(nothing)} == {judging.HELD_OUT}


def test_an_interval_of_weights_is_of_pairs_drawn_anew_with_both_their_sides():
    random = np.random.default_rng(1)
    rejected = random.uniform(0, 4, (100, 7))
    found = learning.Sides(pl.DataFrame({"prompt": ["p"] * 100}), rejected + random.normal(0.5, 0.1, (100, 7)), rejected)

    def fit(sides, row, scorer):
        return FeatureReward("linear", FEATURE_NAMES, {"weights": (sides.chosen - sides.rejected).mean(axis=0)}, full=5.0)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(learning, "fit", fit)
        told = learning.weights(fit(found, None, ""), found, Opinions(), draws=1000)
    gaps = found.chosen - found.rejected
    usual = 2 * 1.96 * gaps.std(axis=0) / np.sqrt(100)  # of a mean, by the central limit
    assert (told["high"] - told["low"]).to_list() == pytest.approx(usual.tolist(), rel=0.15)


def test_what_more_pairs_teach_is_told_of_pairs_that_were_not_learned():
    random = np.random.default_rng(0)
    words = np.array(["kettle", "lid", "spout", "handle", "boils", "leaks", "fast", "slow", "light", "heavy"])
    rows = [{**pair(*(" ".join(random.permutation(words)[:6]) for _ in range(2)), at), "prompt": f"p{at}"} for at in range(80)]
    found = learning.Sides(pl.DataFrame(rows), *random.uniform(0, 5, (2, 80, 7)))
    curve = learning.curves(found, repeats=1)
    assert curve.filter(pl.col("judge") == "text")["pairs"].to_list() == [25, 50]
    assert set(curve["judge"]) == {"linear", "monotone_additive", "feed_forward", "text"}
    assert curve["accuracy"].is_between(0.25, 0.75).all()  # chance alone dealt marks, words and labels


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


def test_the_best_of_what_is_stored_is_picked_at_the_price_of_its_choice():
    stored = pl.concat(
        [
            summaries([("poor", "very_bad"), ("fine", "good"), ("dull", "slightly_bad")]),
            summaries([("nice", "good"), ("bad", "very_bad")], "q"),
        ]
    )
    worth = {"poor": 0.1, "fine": 0.9, "dull": 0.5, "nice": 0.8, "bad": 0.2}
    found = gains._picked(stored, lambda prompts, texts: np.array([worth[text] for text in texts]), seed=0)
    assert list(found) == ["any of what is stored", "best of what is stored"]
    best = found["best of what is stored"]
    assert (best.prompts, best.texts) == (["p\n\nSummary:", "q\n\nSummary:"], ["fine", "nice"])
    assert best.log_ratios == pytest.approx([log(3), log(2)])
    assert found["any of what is stored"].log_ratios.tolist() == [0, 0]

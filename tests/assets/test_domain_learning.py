"""What is learned of pairs of summaries, what features are worth, and how often whom is right, on held-out and planted ones."""

import dataclasses
import re

import numpy as np
import polars as pl
import pytest

from assets.domain import judging, learning, page
from assets.domain.planting import planted
from assets.domain.rows import Opinions
from assets.experiments import Corpus, Experiment
from pipelines.schema import FEATURE_NAMES
from rlhf_train.errors import TrainingError
from rlhf_train.models.feature_rewards import FeatureReward
from tests.assets.summarised import marks, pair, products, summaries

CURVE = ["judge", "pairs", "accuracy", "low", "high"]


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

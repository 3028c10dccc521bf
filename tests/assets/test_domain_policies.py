"""The reward of a policy of summaries, what its answers are held against, and what may be picked."""

from math import exp, log

import numpy as np
import polars as pl
import pytest

from assets.domain import gains, policies
from pipelines.schema import FEATURE_NAMES, DataError
from rlhf_train.models.feature_rewards import FeatureReward
from tests.assets.summarised import marks, pair, summaries


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

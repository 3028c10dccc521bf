"""A text reward beside a phi: by hand, within its cap whatever it says, and gone where the cap is 0."""

from dataclasses import dataclass

import numpy as np
import pytest

from rlhf_train.errors import TrainingError
from rlhf_train.models.feature_rewards import FeatureReward
from rlhf_train.models.hybrids import Capped, FeatureJudge

TEXTS = ["good", "fine", "poor", "sold"]


@dataclass
class Said:
    values: list[float]

    def rewards(self, prompts, responses):
        return np.array([self.values[TEXTS.index(each)] for each in responses])


def test_a_phi_judges_texts_by_what_their_features_are():
    table = {"good": [4.0, 1.0], "poor": [1.0, 2.0]}
    phi = FeatureReward("linear", ("truth", "grammar"), {"weights": np.array([2.0, 0.5])}, full=5.0)
    judge = FeatureJudge(phi, lambda prompts, responses: np.array([table[each] for each in responses]))
    assert judge.rewards(["p", "p"], ["poor", "good"]) == pytest.approx([2 * 0.2 + 0.5 * 0.4, 2 * 0.8 + 0.5 * 0.2])


def test_the_text_is_heard_so_far_and_no_further():
    found = Capped(Said([1.0, 0.5, 0.0, -1.0]), Said([-0.2, 1.0, 3.0, 900.0]), weight=0.5, cap=0.4)
    assert found.rewards(["p"] * 4, TEXTS) == pytest.approx([1.0 - 0.1, 0.5 + 0.4, 0.0 + 0.4, -1.0 + 0.4])


@pytest.mark.parametrize("weight", [0.1, 1.0, 1e6])
def test_a_lead_of_twice_the_cap_stands_whatever_the_text_says(weight):
    random = np.random.default_rng(0)
    first = Said([2.1, 1.4, 0.7, 0.0])
    text = Said(random.normal(0, 1e3, 4).tolist())
    rewards = Capped(first, text, weight=weight, cap=0.34).rewards(["p"] * 4, TEXTS)
    assert list(np.argsort(-rewards)) == [0, 1, 2, 3]


def test_without_a_cap_or_a_weight_nothing_is_heard():
    first, text = Said([1.0, 0.5, 0.0, -1.0]), Said([-5.0, 5.0, 3.0, 2.0])
    for silent in ({"cap": 0.0}, {"weight": 0.0}):
        assert Capped(first, text, **silent).rewards(["p"] * 4, TEXTS).tolist() == first.values


@pytest.mark.parametrize("wrong", [{"cap": -1.0}, {"weight": float("nan")}])
def test_a_cap_or_weight_below_zero_is_refused(wrong):
    with pytest.raises(TrainingError, match="must be a finite number of 0 or more, got"):
        Capped(Said([]), Said([]), **wrong)

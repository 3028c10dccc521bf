import copy
import dataclasses
from math import exp

import numpy as np
import pytest
import torch

from rlhf_train.errors import TrainingError
from rlhf_train.models import reward_models
from rlhf_train.models.committees import COMBINES, Committee, averaged
from rlhf_train.models.reward_models import RewardModel

PROMPTS, SAID = ["\n\nHuman: a\n\nAssistant:"] * 3, [" The kettle sings.", " Rain again.", " No."]


@pytest.fixture
def members(tiny_policy, tmp_path):
    place = tiny_policy.save(tmp_path / "policy")
    return tuple(reward_models.load(place, seed=seed) for seed in range(3))


def test_the_average_of_linear_heads_gives_the_mean_reward(members):
    """The members differ in their heads alone, and a head is linear."""
    mean = averaged(members).rewards(PROMPTS, SAID)
    assert mean == pytest.approx(np.mean([member.rewards(PROMPTS, SAID) for member in members], axis=0), abs=2e-2)
    assert np.ptp(mean) > 0


def test_every_weight_is_the_mean(members):
    with torch.no_grad():
        for at, member in enumerate(members):
            member.model.model.layers[0].mlp.up_proj.weight += at
    state, first = averaged(members).model.state_dict(), members[0].model.state_dict()
    name = "model.layers.0.mlp.up_proj.weight"
    assert torch.allclose(state[name], first[name] + 1.0, atol=1e-5)
    assert torch.equal(averaged(members[:1]).model.state_dict()[name], first[name])


def test_members_are_left_as_they_were(members):
    before = copy.deepcopy(members[0].model.state_dict())
    averaged(members)
    assert all(torch.equal(weights, before[name]) for name, weights in members[0].model.state_dict().items())


def test_models_of_another_shape_are_refused(members, body):
    other = RewardModel(body("llama", scored=True), members[0].tokenizer)
    with pytest.raises(TrainingError, match="reward model 1 is of another shape than the first at "):
        averaged([members[0], other])
    with pytest.raises(TrainingError, match="at least one"):
        averaged([])


def test_combinations_by_hand():
    rewards = np.array([[1.0, -2.0], [3.0, 4.0]])
    assert COMBINES["mean"](rewards, 9).tolist() == [2.0, 1.0]
    assert COMBINES["worst"](rewards, 9).tolist() == [1.0, -2.0]
    assert COMBINES["doubted"](rewards, 0.5).tolist() == [2.0 - 0.5 * 1.0, 1.0 - 0.5 * 9.0]
    shares = [(1 / (1 + exp(-1)) + 1 / (1 + exp(-3))) / 2, (1 / (1 + exp(2)) + 1 / (1 + exp(-4))) / 2]
    assert COMBINES["bounded"](rewards, 9) == pytest.approx(shares)


def test_what_is_no_number_is_no_opinion():
    assert COMBINES["bounded"](np.array([[np.nan, np.inf], [2.0, -np.inf]]), 1) == pytest.approx(
        [(0.5 + 1 / (1 + exp(-2))) / 2, 0.5]
    )


def test_a_committee_scores_as_one(members):
    each = Committee(members).each(PROMPTS, SAID)
    assert each.shape == (3, 3)
    for name, combine in COMBINES.items():
        assert Committee(members, name, 0.3).rewards(PROMPTS, SAID) == pytest.approx(combine(each, 0.3))
    with pytest.raises(TrainingError, match="combine must be one of mean, worst, doubted, bounded, got 'best'"):
        dataclasses.replace(Committee(members), combine="best")

import numpy as np
import pytest

from rlhf_train import candidates
from rlhf_train.errors import TrainingError

PROMPTS = ["b", "a", "b", "a", "a", "c"]
REWARDS = np.array([1.0, -2.0, 4.0, 0.5, 0.5, 9.0])


def test_the_best_of_each_prompt_and_of_equal_ones_the_first():
    assert candidates.best(PROMPTS, REWARDS).tolist() == [2, 3, 5]
    assert candidates.best(PROMPTS, -REWARDS).tolist() == [0, 1, 5]
    assert candidates.best(PROMPTS, np.zeros(6)).tolist() == [0, 1, 5]


def test_it_is_what_looking_at_each_prompt_finds():
    random = np.random.default_rng(0)
    prompts = [str(at) for at in random.integers(0, 9, 200)]
    rewards = random.integers(0, 5, 200).astype(float)
    expected = []
    for prompt in dict.fromkeys(prompts):
        own = [place for place in range(200) if prompts[place] == prompt]
        expected.append(max(own, key=lambda place: rewards[place]))  # max takes the first of equal ones
    assert candidates.best(prompts, rewards).tolist() == expected


def test_the_tiers_that_it_picks():
    tiers = ["good", "bad", "bad", "good", "fair", "good"]
    assert candidates.shares(tiers, candidates.best(PROMPTS, REWARDS)) == {"good": 2 / 3, "bad": 1 / 3, "fair": 0.0}


def test_a_reward_counts_beside_those_of_its_prompt():
    mean = (-2 + 0.5 + 0.5) / 3
    got = candidates.advantages(PROMPTS, REWARDS)
    assert got.tolist() == pytest.approx([1 - 2.5, -2 - mean, 4 - 2.5, 0.5 - mean, 0.5 - mean, 0.0])


@pytest.mark.parametrize("call", [candidates.best, candidates.advantages])
def test_rewards_that_are_none_are_named(call):
    with pytest.raises(TrainingError, match="must be finite, got nan in row 2"):
        call(["a", "a", "a"], np.array([0.0, 1.0, np.nan]))
    with pytest.raises(TrainingError, match=r"a reward for each of 3 responses, got \[2\]"):
        call(["a", "a", "a"], np.array([0.0, 1.0]))

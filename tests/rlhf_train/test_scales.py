from math import exp, inf, sqrt

import pytest

from rlhf_train import scales
from rlhf_train.errors import TrainingError

REWARDS = [1.2, -0.4, 0.1, 0.0]


def test_by_hand():
    """Deviation of a sample: over n - 1. Over n, the first would be 1.6436."""
    mean = (1.2 - 0.4 + 0.1) / 4
    deviation = sqrt(sum((reward - mean) ** 2 for reward in REWARDS) / 3)
    z = [(reward - mean) / deviation for reward in REWARDS]
    assert scales.standardised(REWARDS).tolist() == pytest.approx(z)
    assert z == pytest.approx([1.4234461473, -0.912465479, -0.1824930958, -0.3284875725], abs=1e-9)
    scale = scales.of(REWARDS)
    assert scale.squashed(REWARDS).tolist() == pytest.approx([1 / (1 + exp(-part)) for part in z])
    assert scale.standardised(2.0) == pytest.approx((2 - mean) / deviation)  # what a reward to ask for is on this scale


def test_any_shift_or_stretch_of_all_rewards_is_nothing():
    moved = [3 * reward - 7 for reward in REWARDS]
    assert scales.standardised(moved).tolist() == pytest.approx(scales.standardised(REWARDS).tolist())


def test_squashed_rewards_of_any_size_are_in_bounds():
    found = scales.of(REWARDS).squashed([-1e300, -50, 50, 1e300])
    assert found.tolist() == [0, pytest.approx(0, abs=1e-20), 1, 1]


@pytest.mark.parametrize(
    ("rewards", "said"),
    [
        ([0.3, 0.3, 0.3], "it is 0.3 in every row; look at what scored the rows"),
        ([0.3], "it is 0.3 in every row"),
        ([], "there are no rows"),
        ([0.3, inf, 0.2], "rewards must be finite, got inf in row 1"),
    ],
)
def test_rewards_without_a_scale_are_refused(rewards, said):
    with pytest.raises(TrainingError, match=said):
        scales.of(rewards)

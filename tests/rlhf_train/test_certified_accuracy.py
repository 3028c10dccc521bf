import numpy as np
import pytest

from rlhf_train.evals import EVALS, certified_accuracy, reward_accuracy
from rlhf_train.evals.intervals import interval

#: votes of five members for the chosen response of six pairs: 5-0, 4-1, 3-2, 3-0 and two that abstain, 2-2, 1-4
GAPS = np.array(
    [
        [1, 2, 1, 3, 1, -1],
        [1, 1, 1, 1, 2, -1],
        [9, 1, 1, 1, -1, -1],
        [1, 1, -9, 0, -1, -1],
        [1, -1, -1, 0, 0, 5],
    ],
    dtype=float,
)


def test_by_hand():
    """The certificates are 2, 1, 0, 1; of the last two one is tied and one is wrong."""
    found = certified_accuracy.measure(GAPS + 3, np.full((5, 6), 3.0))
    assert found.accuracy == pytest.approx((4 / 6, 3 / 6, 1 / 6))
    for radius, right in enumerate(([1, 1, 1, 1, 0, 0], [1, 1, 0, 1, 0, 0], [1, 0, 0, 0, 0, 0])):
        assert (found.low[radius], found.high[radius]) == interval(np.array(right))


def test_more_than_can_be_certified_is_never_certified():
    found = certified_accuracy.measure(GAPS, np.zeros((5, 6)), most=4)
    assert found.accuracy[3:] == (0.0, 0.0)
    assert found.high[4] > 0  # none of six is not surely none
    assert certified_accuracy.measure(GAPS, np.zeros((5, 6)), most=0).accuracy == pytest.approx((4 / 6,))


def test_one_model_is_a_vote_of_one():
    chosen, rejected = np.array([1.0, 2.0, 0.0]), np.array([0.0, 3.0, -1.0])
    found = EVALS["certified_accuracy"](chosen, rejected)
    assert found.accuracy == (reward_accuracy.measure(chosen, rejected).accuracy,)

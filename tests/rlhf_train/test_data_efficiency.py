"""Cross-validation: what is told was never learned, every pair is told as often, and a size is what is learned."""

import numpy as np
import pytest

from rlhf_train.errors import TrainingError
from rlhf_train.evals import data_efficiency

GROUPS = ["a", "b", "b", "c", "d", "d", "e", "f", "g", "h"]


def test_no_group_is_learned_and_told_and_every_pair_is_told_once_a_repeat():
    seen = np.zeros(len(GROUPS))

    def judge(learned, told):
        assert not {GROUPS[at] for at in learned} & {GROUPS[at] for at in told}
        assert len(set(learned) | set(told)) == len(GROUPS)
        seen[told] += 1
        return np.ones(len(told))

    right, _ = data_efficiency.out_of_fold(judge, GROUPS, folds=3, repeats=4)
    assert seen.tolist() == [4] * len(GROUPS)
    assert right == pytest.approx(np.ones(len(GROUPS)))


def test_how_often_each_pair_is_told_right():
    """Right where the pair's place is even, in each repeat."""
    right, learned = data_efficiency.out_of_fold(lambda rest, told: (told % 2 == 0) * 1.0, GROUPS, folds=2, repeats=3)
    assert right == pytest.approx([1, 0] * 5)
    assert learned >= 5


def test_a_size_is_what_is_learned_and_a_judge_that_needs_more_is_wrong():
    points = data_efficiency.measure(lambda rest, told: np.full(len(told), float(len(rest) >= 4)), GROUPS, sizes=(2, 4))
    assert [(point.pairs, point.accuracy) for point in points] == [(2, 0.0), (4, pytest.approx(1.0))]


def test_the_interval_is_over_groups():
    """Two hundred copies of one product tell no more than one: a single group has no width, many have."""
    one = data_efficiency.measure(lambda rest, told: told % 3 == 0, [str(at) for at in range(60)], sizes=(9,))[0]
    many = data_efficiency.measure(lambda rest, told: (told // 20) % 3 == 0, [str(at // 20) for at in range(1200)], sizes=(9,))[
        0
    ]
    assert one.accuracy == many.accuracy == pytest.approx(1 / 3)
    assert many.high - many.low == pytest.approx(one.high - one.low, rel=0.2)


def test_another_seed_deals_anew():
    def judge(rest, told):
        return np.isin(told, rest + 1) * 1.0

    first, again, other = (data_efficiency.out_of_fold(judge, range(30), repeats=1, seed=seed)[0] for seed in (0, 0, 1))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_one_group_can_not_be_learned_and_told():
    with pytest.raises(TrainingError, match="pairs of two groups or more are needed to learn some and tell the others, got 1"):
        data_efficiency.out_of_fold(lambda rest, told: np.ones(len(told)), ["a"] * 6)


def test_two_groups_are_two_folds_neither_of_which_is_empty():
    told = []

    def judge(rest, asked):
        told.append((len(rest), len(asked)))
        return np.ones(len(asked))

    right, learned = data_efficiency.out_of_fold(judge, ["a"] * 4 + ["b"] * 2, repeats=1)
    assert sorted(told) == [(2, 4), (4, 2)]
    assert (right.tolist(), learned) == ([1.0] * 6, 4)

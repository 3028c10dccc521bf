from math import exp

import pytest
import torch

from rlhf_train.objectives import kto

GOOD, BAD, OTHER = [0.5, -2.0], [1.25, -0.75], [0.6, 1.0]  # log-ratios
REFS = [[-8.0, -9.0], [-7.0, -5.0], [-20.0, -30.0]]


def columns(**kwargs):
    policy = [
        [ratio + ref for ratio, ref in zip(side, refs, strict=True)]
        for side, refs in zip((GOOD, BAD, OTHER), REFS, strict=True)
    ]
    return [torch.tensor(column, dtype=torch.float64, **kwargs) for column in (*policy, *REFS)]


def sigmoid(x):
    return 1 / (1 + exp(-x))


def test_by_hand():
    origin = (0.6 + 1.0) / 2
    good = [1.5 * (1 - sigmoid(0.3 * (ratio - origin))) for ratio in GOOD]
    bad = [0.75 * (1 - sigmoid(0.3 * (origin - ratio))) for ratio in BAD]
    outcome = kto.loss(*columns(), beta=0.3, desirable=1.5, undesirable=0.75)
    assert outcome.loss.item() == pytest.approx((sum(good) + sum(bad)) / 4)
    assert outcome.metrics["kl"].item() == pytest.approx(origin)


def test_the_point_of_reference_is_at_least_0():
    given = columns()
    given[2] -= 9.0
    bad = [1 - sigmoid(-0.3 * ratio) for ratio in BAD]
    good = [1 - sigmoid(0.3 * ratio) for ratio in GOOD]
    assert kto.loss(*given, beta=0.3).loss.item() == pytest.approx((sum(good) + sum(bad)) / 4)


def test_no_gradient_goes_through_the_point_of_reference():
    given = columns(requires_grad=True)
    kto.loss(*given).loss.backward()
    assert given[2].grad is None
    assert (given[0].grad < 0).all()
    assert (given[1].grad > 0).all()

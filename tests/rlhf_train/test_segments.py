"""Preferences between responses as a loss on their segments: by hand, in its gradient, and where it is plain Bradley-Terry."""

from math import exp, log

import pytest
import torch

from rlhf_train.errors import TrainingError
from rlhf_train.objectives import bradley_terry, segments

VALUES, OWNERS = [0.5, 1.4, 1.6, 0.2, -0.4], [0, 0, 0, 1, 1]
MORE, THEIRS = [*VALUES, -0.3, 0.7, 0.1, 2.0], [*OWNERS, 2, 3, 3, 3]


def called(values, owners, dtype=torch.float64, **numbers):
    return segments.loss(torch.tensor(values, dtype=dtype), torch.tensor(owners), **numbers)


def nll(gap):
    return log(1 + exp(-gap))


def test_by_hand():
    """Means 3.5 / 3 and -0.2 / 2; of two pairs the mean."""
    assert called(VALUES, OWNERS).loss.item() == pytest.approx(0.248241, abs=1e-6)
    assert called(VALUES, OWNERS).loss.item() == pytest.approx(nll(3.5 / 3 + 0.1), abs=1e-9)
    outcome = called(MORE, THEIRS)
    assert outcome.loss.item() == pytest.approx((nll(3.5 / 3 + 0.1) + nll(-0.3 - 2.8 / 3)) / 2)
    assert outcome.metrics["margin"].item() == pytest.approx((3.5 / 3 + 0.1 - 0.3 - 2.8 / 3) / 2)
    assert outcome.metrics["accuracy"].item() == 0.5
    assert outcome.metrics["segments"].item() == 9 / 4


def test_other_aggregates_and_smoothed_labels():
    assert called(VALUES, OWNERS, aggregate="sum").loss.item() == pytest.approx(nll(3.5 + 0.2))
    assert called(VALUES, OWNERS, aggregate="last").loss.item() == pytest.approx(nll(1.6 + 0.4))
    gap = 3.5 / 3 + 0.1
    assert called(VALUES, OWNERS, smoothing=0.1).loss.item() == pytest.approx(0.9 * nll(gap) + 0.1 * nll(-gap))


@pytest.mark.parametrize(
    ("aggregate", "shares"),
    [("mean", [1 / 3] * 3 + [-1 / 2] * 2), ("sum", [1] * 3 + [-1] * 2), ("last", [0, 0, 1, 0, -1])],
)
def test_the_gradient_by_hand(aggregate, shares):
    values = torch.tensor(VALUES, dtype=torch.float64, requires_grad=True)
    segments.loss(values, torch.tensor(OWNERS), aggregate=aggregate).loss.backward()
    gap = {"mean": 3.5 / 3 + 0.1, "sum": 3.7, "last": 2.0}[aggregate]
    assert values.grad.tolist() == pytest.approx([-share / (1 + exp(gap)) for share in shares])


@pytest.mark.parametrize("aggregate", ["mean", "sum", "last"])
def test_the_gradient_in_double_precision(aggregate):
    values = torch.tensor(MORE, dtype=torch.float64, requires_grad=True)
    call = lambda values: segments.loss(values, torch.tensor(THEIRS), aggregate=aggregate, smoothing=0.1).loss  # noqa: E731
    assert torch.autograd.gradcheck(call, [values])


@pytest.mark.parametrize("aggregate", ["mean", "sum", "last"])
def test_one_segment_a_response_is_bradley_terry(aggregate):
    values = torch.tensor([0.7, -0.2, 1.1, 1.9])
    ours = segments.loss(values, torch.arange(4), aggregate=aggregate, smoothing=0.2)
    theirs = bradley_terry.loss(values[0::2], values[1::2], smoothing=0.2)
    assert torch.equal(ours.loss, theirs.loss)
    assert {name: ours.metrics[name] for name in theirs.metrics} == theirs.metrics


def test_the_mean_takes_no_account_of_length_and_the_sum_does():
    twice = called([0.5, 1.4, 1.6] * 2 + [0.2, -0.4], [0] * 6 + [1] * 2).loss.item()
    assert twice == pytest.approx(called(VALUES, OWNERS).loss.item())
    assert called([0.5, 1.4, 1.6] * 2 + [0.2, -0.4], [0] * 6 + [1] * 2, aggregate="sum").loss.item() == pytest.approx(nll(7.2))


def test_the_order_of_pairs_changes_nothing():
    turned = [*MORE[5:], *VALUES], [0, 1, 1, 1, 2, 2, 2, 3, 3]
    assert called(*turned).loss.item() == pytest.approx(called(MORE, THEIRS).loss.item())


def test_extreme_values_stay_finite():
    values = torch.tensor([1e4, -1e4, -1e4, 1e4, 1e4, 0.0], requires_grad=True)
    outcome = segments.loss(values, torch.tensor([0, 0, 1, 2, 3, 3]))
    outcome.loss.backward()
    assert torch.isfinite(outcome.loss)
    assert torch.isfinite(values.grad).all()


@pytest.mark.parametrize(
    ("owners", "said"),
    [
        ([0, 0, 0, 2, 3], "response 1 of 4 has no segment; each has one at least"),
        ([0, 0, 0, 0, 0], "response 1 of 2 has no segment"),
        ([0, 0, 1, 1, 2], "response 3 of 4 has no segment"),
    ],
)
def test_a_response_without_a_segment_is_named(owners, said):
    with pytest.raises(TrainingError, match=said):
        called(VALUES, owners)

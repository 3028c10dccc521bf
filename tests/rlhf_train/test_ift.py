"""Intuitive fine-tuning: the three forms by hand, their gradients, their limits, and what is said of tokens pushed away."""

import warnings
from itertools import product
from math import exp, isfinite, log1p
from typing import get_args

import pytest
import torch

from rlhf_train.errors import TrainingError
from rlhf_train.logps import summed
from rlhf_train.objectives import ift

NLL = [1.0, 2.0, 0.5, 0.25]
FORMS = get_args(ift.Form)
OTHERS = list(product(get_args(ift.Propagation), get_args(ift.Side), get_args(ift.Norm)))

pytestmark = pytest.mark.filterwarnings("ignore:ift. some tokens")


def asked(nll=NLL, dtype=torch.float64, owners=None, **numbers):
    """The loss, its slope in each token's own loss, and the metrics."""
    given = torch.tensor(nll, dtype=dtype).requires_grad_()
    owners = torch.zeros(len(nll), dtype=torch.long) if owners is None else torch.tensor(owners)
    outcome = ift.loss(-given, owners, **numbers)
    return outcome.loss.item(), torch.autograd.grad(outcome.loss, given)[0].tolist(), outcome.metrics


def relations(gamma):
    """D of NLL, from behind."""
    found = [0.0]
    for own in reversed(NLL):
        found.insert(0, own / 4 + gamma * found[0])
    return found[:-1]


def test_the_released_form_by_hand():
    parts = relations(0.95)
    assert parts == pytest.approx([0.891398, 0.675156, 0.184375, 0.0625], abs=1e-6)
    weights = [4 * part / sum(parts) for part in parts]
    assert weights == pytest.approx([1.966216, 1.489236, 0.406688, 0.137860], abs=1e-6)
    value, slopes, metrics = asked()
    assert value == pytest.approx(sum(weight * own for weight, own in zip(weights, NLL, strict=True)) / 4, abs=1e-9)
    assert value == pytest.approx(1.295624, abs=1e-6)
    assert slopes == pytest.approx([0.450799, 0.430697, 0.047456, -0.161190], abs=1e-6)
    assert metrics["nll"].item() == pytest.approx((1 + 2 + 0.5 + 0.25) / 4)
    assert metrics["pushed_away"].item() == 1 / 4
    held, slopes, metrics = asked(detach=True)
    assert held == value
    assert slopes == pytest.approx([weight / 4 for weight in weights])
    assert metrics["pushed_away"].item() == 0


def test_another_decay_by_hand():
    parts = relations(0.5)
    assert parts == pytest.approx([0.539063, 0.578125, 0.156250, 0.0625], abs=1e-6)
    assert asked(gamma=0.5)[0] == pytest.approx(1.339181, abs=1e-6)
    even = relations(1.0)
    assert even == [0.9375, 0.6875, 0.1875, 0.0625]
    assert asked(gamma=1.0)[0] == pytest.approx(
        (0.9375 * 1 + 0.6875 * 2 + 0.1875 * 0.5 + 0.0625 * 0.25) / (0.9375 + 0.6875 + 0.1875 + 0.0625)
    )


def test_equation_21_weighs_later_tokens_more():
    assert asked(form="eq21", gamma=1.0)[0] == pytest.approx(1 * 1 + 2 * 2 + 3 * 0.5 + 4 * 0.25)
    value, slopes, _ = asked(form="eq21")
    assert slopes == pytest.approx([1, 1 + 0.95, 1 + 0.95 + 0.95**2, 1 + 0.95 + 0.95**2 + 0.95**3])
    assert slopes == pytest.approx([1, 1.95, 2.8525, 3.709875])
    assert value == pytest.approx(7.253719, abs=1e-6)


def test_algorithm_1_weighs_earlier_tokens_more():
    value, slopes, _ = asked(form="algorithm1", gamma=1.0, detach=True)
    assert value == pytest.approx(3.75 * 1 + 2.75 * 2 + 0.75 * 0.5 + 0.25 * 0.25)
    assert slopes == [3.75, 2.75, 0.75, 0.25]
    assert asked(form="algorithm1", gamma=1.0)[1] == pytest.approx([3.75 + 1, 2.75 + 3, 0.75 + 3.5, 0.25 + 3.75])
    assert asked(form="algorithm1")[0] == pytest.approx(9.398094, abs=1e-6)


def test_other_tokens_lengths_and_orders_of_responses_change_nothing():
    one, other = [9.0, 1.0], [1.0, 2.0, 0.5, 0.25]
    alone = [asked(part)[0] for part in (one, other)]
    value, slopes, _ = asked([*one, *other], owners=[0, 0, 1, 1, 1, 1])
    assert value == pytest.approx(sum(alone) / 2)
    assert slopes[2:] == pytest.approx([0.450799 / 2, 0.430697 / 2, 0.047456 / 2, -0.161190 / 2], abs=1e-6)
    turned, _, metrics = asked([*other, *one], owners=[0, 0, 0, 0, 1, 1])
    assert turned == pytest.approx(value)
    assert metrics["pushed_away"].item() == pytest.approx((1 / 4 + asked(one)[2]["pushed_away"].item()) / 2)


@pytest.mark.parametrize(("propagation", "side", "norm"), OTHERS)
def test_a_far_longer_neighbour_changes_nothing(propagation, side, norm):
    numbers = {"propagation": propagation, "side": side, "norm": norm, "gamma": 0.5}
    short, long = [1e-4, 1.25], [0.3 + 0.1 * (at % 7) for at in range(40)]
    together = asked([*short, *long], owners=[0] * len(short) + [1] * len(long), **numbers)
    apart = [asked(part, **numbers) for part in (short, long)]
    assert together[0] == pytest.approx((apart[0][0] + apart[1][0]) / 2)
    assert together[1] == pytest.approx([slope / 2 for part in apart for slope in part[1]])


def test_equal_losses_keep_their_value_and_move_to_the_front():
    value, slopes, _ = asked([1.0] * 4)
    assert value == pytest.approx(1.0)
    assert slopes == pytest.approx([1.560020 / 4, 1.199490 / 4, 0.819984 / 4, 0.420505 / 4], abs=1e-6)
    for gamma in (0.2, 1.0):
        assert asked([0.7] * 5, gamma=gamma)[0] == pytest.approx(0.7)


def test_without_decay_every_response_is_its_mean():
    nll, owners = [1.0, 2.0, 0.5, 0.25, 3.0], [0, 0, 0, 1, 1]
    for propagation, side, norm in OTHERS:
        value, slopes, _ = asked(nll, owners=owners, gamma=0.0, propagation=propagation, side=side, norm=norm)
        assert value == pytest.approx(((1 + 2 + 0.5) / 3 + (0.25 + 3) / 2) / 2)
        assert slopes == pytest.approx([1 / 6] * 3 + [1 / 4] * 2)
    given = -torch.tensor(nll), torch.tensor(owners)
    sizes = torch.bincount(given[1])
    assert ift.loss(*given, gamma=0.0).loss.item() == pytest.approx((-summed(*given, 2) / sizes).mean().item())


def test_the_released_form_grows_with_its_losses():
    """L(c l) = c L(l), so that the slopes times the losses are L."""
    value, slopes, _ = asked()
    assert asked([3 * own for own in NLL])[0] == pytest.approx(3 * value)
    assert sum(slope * own for slope, own in zip(slopes, NLL, strict=True)) == pytest.approx(value)


def sums(items, gamma, behind):
    found, last = [], 0.0
    for item in reversed(items) if behind else items:
        last = item + gamma * last
        found.append(last)
    return found[::-1] if behind else found


@pytest.mark.parametrize(("propagation", "side", "norm"), OTHERS)
def test_every_way_to_weigh_by_hand(propagation, side, norm):
    items = {"loss": [own / 4 for own in NLL], "mask": [1.0] * 4, "logps": NLL}[propagation]
    found = sums(items, 0.9, side == "left")
    if side == "left":
        sharp = {
            "l1": found,
            "l2": [x * x for x in found],
            "softmax": [exp(x) for x in found],
            "log": [log1p(x) for x in found],
        }
    else:
        found = [x + min(found) for x in found]
        sharp = {
            "l1": [1 / x for x in found],
            "l2": [1 / x / x for x in found],
            "softmax": [exp(1 / x) for x in found],
            "log": [1 / log1p(x) for x in found],
        }
    weights = [weight / sum(sharp[norm]) for weight in sharp[norm]]
    value, slopes, _ = asked(gamma=0.9, propagation=propagation, side=side, norm=norm, detach=True)
    assert slopes == pytest.approx(weights)
    assert value == pytest.approx(sum(weight * own for weight, own in zip(weights, NLL, strict=True)))


@pytest.mark.parametrize(("propagation", "side", "norm"), OTHERS)
def test_the_gradient_of_every_way_in_double_precision(propagation, side, norm):
    given = torch.tensor([-1.0, -2.0, -0.5, -0.25, -0.7, -1.3], dtype=torch.float64, requires_grad=True)
    owners = torch.tensor([0, 0, 0, 0, 1, 1])
    numbers = {"gamma": 0.8, "propagation": propagation, "side": side, "norm": norm}
    assert torch.autograd.gradcheck(lambda logps: ift.loss(logps, owners, **numbers).loss, [given])


@pytest.mark.parametrize("form", FORMS)
def test_the_gradient_of_every_form_in_double_precision(form):
    given = torch.tensor([-1.0, -2.0, -0.5, -0.25, -0.7], dtype=torch.float64, requires_grad=True)
    owners = torch.tensor([0, 0, 0, 1, 1])
    assert torch.autograd.gradcheck(lambda logps: ift.loss(logps, owners, form=form, gamma=0.6).loss, [given])


EXTREMES = ([0.0] * 3, [0.0, 1e4, 1e-30], [1e4, 1e4, 1e-8], [1e-20, 0.0, 0.0], [5.0])


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("nll", EXTREMES)
def test_extreme_inputs_stay_finite(form, nll):
    for propagation, side, norm in OTHERS if form == "released" else OTHERS[:1]:
        numbers = {"form": form, "propagation": propagation, "side": side, "norm": norm}
        value, slopes, metrics = asked([*nll, 0.3], torch.float32, [0] * len(nll) + [1], **numbers)
        assert all(map(isfinite, (value, *slopes, *metrics.values())))
        if not any(nll):
            assert value == pytest.approx(0.3 * (0.3 if form == "algorithm1" else 1) / 2)


def test_tokens_pushed_away_are_told_of_by_name():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        asked([1.0, 1.0, 1.0])
        asked(detach=True)
        with pytest.raises(UserWarning, match=r"ift: some tokens have a negative weight.*`pushed_away`.*detach=True"):
            asked()


def test_they_are_told_of_once_in_a_run():
    with warnings.catch_warnings(record=True) as heard:
        warnings.resetwarnings()
        warnings.simplefilter("default")
        ift.__dict__.pop("__warningregistry__", None)
        for _ in range(3):
            asked()
            asked([2.0, 0.1, 0.05])
    assert len(heard) == 1


@pytest.mark.parametrize(
    ("numbers", "said"),
    [
        ({"gamma": 1.2}, r"gamma is how much of a token's weight reaches the one before it and must lie in \[0, 1\], got 1.2"),
        ({"gamma": float("nan")}, "gamma is .* got nan"),
        ({"mix": -0.1}, r"mix is the share of the model's own guess in what it reads and must lie in \[0, 1\], got -0.1"),
        ({"disturbance": -1.0}, "disturbance is a deviation, in shares of mix, and must be 0 or more, got -1"),
    ],
)
def test_numbers_that_can_not_serve_are_named(numbers, said):
    with pytest.raises(TrainingError, match=said):
        ift.check({}, **numbers)
    ift.check({}, form="eq21", gamma=1.0, mix=1.0, disturbance=0.5)

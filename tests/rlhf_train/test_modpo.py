"""MODPO by hand, at its limits, at its optimum, and what it refuses."""

from math import exp, inf, log, nan

import numpy as np
import pytest
import torch

from rlhf_train.errors import TrainingError
from rlhf_train.objectives import dpo, modpo

NAMES = (
    "chosen_logps",
    "rejected_logps",
    "ref_chosen_logps",
    "ref_rejected_logps",
    "chosen_margins",
    "rejected_margins",
)
ONE = ([-12.0], [-14.0], [-13.0], [-13.5], [0.3], [-0.1])
TWO = (
    [-10.0, -8.0],
    [-11.0, -7.0],
    [-10.5, -8.0],
    [-10.0, -9.0],
    [[1.0, -0.5], [0.0, 2.0]],
    [[0.2, 0.5], [1.0, 1.0]],
)
LENGTH = ([-30.0], [-20.0], [-33.0], [-20.0], [-40.0], [-25.0])
THREE_WEIGHTS = {"beta": 0.5, "weights": (0.2, 0.5, 0.3)}


def columns(given=ONE, *, dtype=torch.float64, **options):
    return {name: torch.tensor(part, dtype=dtype, **options) for name, part in zip(NAMES, given, strict=True)}


def row(given, at):
    return tuple([part[at]] for part in given)


def softplus(gap):
    return log(1 + exp(-gap))


def test_one_margin_by_hand():
    chosen, rejected = (0.1 * 1.0 - 0.5 * 0.3) / 0.5, (0.1 * -0.5 + 0.5 * 0.1) / 0.5
    assert (chosen, rejected) == pytest.approx((-0.1, 0.0))
    outcome = modpo.loss(**columns())
    assert outcome.metrics["chosen_reward"].item() == pytest.approx(-0.1, abs=1e-12)
    assert outcome.metrics["rejected_reward"].item() == pytest.approx(0.0, abs=1e-12)
    assert outcome.metrics["margin"].item() == pytest.approx(-0.1)
    assert outcome.metrics["accuracy"].item() == 0
    assert outcome.loss.item() == pytest.approx(softplus(-0.1), abs=1e-12)
    assert outcome.loss.item() == pytest.approx(0.7443966600735709, abs=1e-12)
    assert modpo.loss(**columns(), form="hinge").loss.item() == pytest.approx(1 + 0.1)


def test_the_gradient_by_hand():
    given = columns(requires_grad=True)
    modpo.loss(**given).loss.backward()
    doubt = 1 / (1 + exp(-0.1))
    assert given["chosen_logps"].grad.item() == pytest.approx(-doubt * 0.1 / 0.5)
    assert given["chosen_logps"].grad.item() == pytest.approx(-0.104995837, abs=1e-9)
    assert given["rejected_logps"].grad.item() == pytest.approx(0.104995837, abs=1e-9)


@pytest.mark.parametrize(
    ("at", "rewards", "gap", "expected"), [(0, (-0.5, -3.75), 3.25, 0.038041371688), (1, (-3.0, 1.0), -4.0, 4.018149927918)]
)
def test_two_margins_by_hand(at, rewards, gap, expected):
    outcome = modpo.loss(**columns(row(TWO, at)), **THREE_WEIGHTS)
    told = [outcome.metrics[name].item() for name in ("chosen_reward", "rejected_reward", "margin")]
    assert told == pytest.approx([*rewards, gap])
    assert outcome.loss.item() == pytest.approx(softplus(gap))
    assert outcome.loss.item() == pytest.approx(expected, abs=1e-12)


def test_two_margins_of_a_batch_by_hand():
    first = (0.5 * ((-10 + 10.5) - (-11 + 10)) - 0.5 * (1.0 - 0.2) - 0.3 * (-0.5 - 0.5)) / 0.2
    second = (0.5 * ((-8 + 8) - (-7 + 9)) - 0.5 * (0.0 - 1.0) - 0.3 * (2.0 - 1.0)) / 0.2
    outcome = modpo.loss(**columns(TWO), **THREE_WEIGHTS)
    assert outcome.loss.item() == pytest.approx((softplus(first) + softplus(second)) / 2)
    assert outcome.loss.item() == pytest.approx(2.028095649802796, abs=1e-12)
    assert outcome.metrics["accuracy"].item() == 0.5
    hinge = modpo.loss(**columns(TWO), **THREE_WEIGHTS, form="hinge")
    assert hinge.loss.item() == pytest.approx((0 + (1 + 4)) / 2)


def test_a_length_penalty_by_hand():
    outcome = modpo.loss(**columns(LENGTH), weights=(1.0, 0.1), total=1.1)
    told = [outcome.metrics[name].item() for name in ("chosen_reward", "rejected_reward", "margin")]
    assert told == pytest.approx([0.1 * 3 + 0.1 * 40, 0.1 * 25, 1.8])
    assert outcome.loss.item() == pytest.approx(0.15297761052607414, abs=1e-12)


@pytest.mark.parametrize("given", [ONE, TWO])
def test_at_full_weight_it_is_dpo(given):
    """With margins that count nothing, and without any."""
    mine, its = columns(given, requires_grad=True), columns(given, requires_grad=True)
    others = np.asarray(given[4]).size // len(given[4])
    found = modpo.loss(**mine, beta=0.1, weights=(1.0, *[0.0] * others))
    expected = dpo.loss(**{name: its[name] for name in NAMES[:4]}, beta=0.1)
    assert found.loss.item() == expected.loss.item()
    if given is ONE:
        assert found.loss.item() == pytest.approx(0.6209570477895321, abs=1e-12)
    found.loss.backward()
    expected.loss.backward()
    for name in NAMES[:2]:
        assert torch.equal(mine[name].grad, its[name].grad)
    none = {name: torch.zeros(len(given[0]), 0, dtype=torch.float64) for name in NAMES[4:]}
    assert modpo.loss(**columns(given) | none, beta=0.1, weights=(1.0,)).loss.item() == expected.loss.item()


def test_one_margin_may_be_a_column_of_its_own():
    given = columns()
    wide = {name: given[name][:, None] for name in NAMES[4:]}
    assert modpo.loss(**given | wide).loss.item() == modpo.loss(**given).loss.item()


@pytest.mark.parametrize("form", modpo.FORMS)
def test_the_gradient_in_double_precision(form):
    given = columns(TWO, requires_grad=True)
    numbers = {**THREE_WEIGHTS, "form": form}
    assert torch.autograd.gradcheck(lambda *parts: modpo.loss(*parts, **numbers).loss, tuple(given.values()))


def test_the_optimum_has_the_gaps_of_the_reward_behind_the_pairs():
    """Whatever the weights: the margins' part of the log-ratio is taken out again."""
    ref, first, second = np.array([0.5, 0.3, 0.2]), np.array([1.0, 0.0, 2.0]), np.array([0.0, 1.0, -1.0])
    weighed = ref * np.exp((0.4 * first + 0.6 * second) / 0.5)
    assert weighed.sum() == pytest.approx(2.407170480595452)
    best = weighed / weighed.sum()
    assert best == pytest.approx([0.46227322627, 0.413778369605, 0.123948404126])
    for better in range(3):
        for worse in range(3):
            parts = [np.log(best)[[better]], np.log(best)[[worse]], np.log(ref)[[better]], np.log(ref)[[worse]]]
            outcome = modpo.loss(**columns((*parts, second[[better]], second[[worse]])), beta=0.5, weights=(0.4, 0.6))
            assert outcome.metrics["margin"].item() == pytest.approx(first[better] - first[worse])


def test_what_is_the_same_for_a_prompt_changes_nothing():
    plain = modpo.loss(**columns(TWO), **THREE_WEIGHTS).loss.item()
    of_prompt, of_prompt_by_margin = torch.tensor([3.0, -7.5]), torch.tensor([[2.0, -4.0], [0.25, 9.0]])
    for names, offset in ((NAMES[4:], of_prompt_by_margin), (NAMES[2:4], of_prompt)):
        given = columns(TWO)
        for name in names:
            given[name] = given[name] + offset
        assert modpo.loss(**given, **THREE_WEIGHTS).loss.item() == pytest.approx(plain, abs=1e-12)
        given[names[0]] = given[names[0]] + offset  # on one side only it does
        assert abs(modpo.loss(**given, **THREE_WEIGHTS).loss.item() - plain) > 0.1


def test_tokens_that_both_sides_share_change_nothing():
    """A shared beginning is as likely on either side, under the policy and under the reference."""
    given = columns(TWO)
    shared, ref_shared = torch.tensor([-2.5, -6.0]), torch.tensor([-3.0, -4.25])
    longer = dict(zip(NAMES[:4], (shared, shared, ref_shared, ref_shared), strict=True))
    masked = modpo.loss(**given, **THREE_WEIGHTS).loss.item()
    whole = modpo.loss(**given | {name: given[name] + part for name, part in longer.items()}, **THREE_WEIGHTS)
    assert whole.loss.item() == pytest.approx(masked, abs=1e-12)


def test_sides_that_change_places_turn_the_gap():
    given = columns(TWO)
    turned = {name: given[other] for name, other in zip(NAMES, [NAMES[at ^ 1] for at in range(6)], strict=True)}
    straight, back = (modpo.loss(**part, **THREE_WEIGHTS) for part in (given, turned))
    assert back.metrics["margin"].item() == pytest.approx(-straight.metrics["margin"].item())
    assert back.loss.item() - straight.loss.item() == pytest.approx(straight.metrics["margin"].item())


def test_the_order_of_the_pairs_changes_nothing():
    given = columns(TWO)
    turned = {name: part.flip(0) for name, part in given.items()}
    assert modpo.loss(**turned, **THREE_WEIGHTS).loss.item() == pytest.approx(modpo.loss(**given, **THREE_WEIGHTS).loss.item())


def test_margins_stay_exact_beside_halves():
    """301 is 300 in bfloat16, which would be a gap of 1 lost; and whole numbers would make a weight of 0.1 one of 0."""
    given = columns(LENGTH, dtype=torch.bfloat16)
    for kind in (torch.float32, torch.int64):
        lengths = {"chosen_margins": torch.tensor([-301], dtype=kind), "rejected_margins": torch.tensor([-300], dtype=kind)}
        outcome = modpo.loss(**given | lengths, weights=(1.0, 0.1), total=1.1)
        assert outcome.metrics["margin"].item() == pytest.approx(0.1 * 3 + 0.1 * 1, abs=2e-3)


@pytest.mark.parametrize("form", modpo.FORMS)
def test_extreme_inputs_stay_finite(form):
    far = torch.tensor([1e4, -1e4, 1e4])
    given = dict(zip(NAMES, (far, -far, 0 * far, 0 * far, -far, far), strict=True))
    logps = {name: given[name].clone().requires_grad_() for name in NAMES[:2]}
    value = modpo.loss(**given | logps, weights=(0.001, 0.999), form=form).loss
    value.backward()
    assert torch.isfinite(value)
    assert all(torch.isfinite(part.grad).all() for part in logps.values())


REFUSED = [
    ({"weights": (1.2, -0.2)}, "weights must be finite numbers, 0 or more, got -0.2"),
    ({"weights": (0.5, nan)}, "weights must be finite numbers, 0 or more, got nan"),
    ({"weights": (inf, 0.5)}, "weights must be finite numbers, 0 or more, got inf"),
    ({"weights": (0.5, 0.4)}, r"weights must sum to total = 1, got 0\.9"),
    ({"weights": (1.0, 0.1)}, r"weights must sum to total = 1, got 1\.1; for a penalty beside a full weight raise total"),
    ({"weights": (0.5, 0.5), "total": 1.1}, r"weights must sum to total = 1\.1, got 1"),
    ({"weights": (1.0,)}, "one for each margin, here 2, got 1"),
    ({"weights": (0.5, 0.25, 0.25)}, "one for each margin, here 2, got 3"),
    ({"weights": (0.0, 1.0)}, "is 0, and the loss divides by it: that end point is the margin's own policy, trained by dpo"),
    ({"beta": 0.0}, "beta is the strength of the KL penalty and must be a finite number above 0, got 0"),
    ({"form": "cosine"}, "form must be one of sigmoid, hinge, got 'cosine'"),
]


@pytest.mark.parametrize(("numbers", "said"), REFUSED)
def test_numbers_that_can_not_serve_are_named(numbers, said):
    with pytest.raises(TrainingError, match=said):
        modpo.loss(**columns(), **numbers)
    table = {"prompt": ["a"], "chosen_margins": [0.3], "rejected_margins": [-0.1]}
    with pytest.raises(TrainingError, match=said):
        modpo.check(table, **numbers)


def test_margins_of_another_shape_are_refused():
    given = columns(TWO)
    for wrong in (torch.zeros(3), torch.zeros(1, 2), torch.zeros(2, 2, 1)):
        with pytest.raises(TrainingError, match=r"margins must be \[2\] or \[2, M\], a row a pair, got"):
            modpo.loss(**given | {"rejected_margins": wrong}, **THREE_WEIGHTS)
    with pytest.raises(TrainingError, match="must have as many margins, got 2 and 1"):
        modpo.loss(**given | {"rejected_margins": torch.zeros(2)}, **THREE_WEIGHTS)


def test_a_margin_that_never_tells_the_sides_apart_is_refused():
    table = {
        "prompt": ["a", "b"],
        "chosen_margins": np.array([[1.0, 7.0], [2.0, -3.0]]),
        "rejected_margins": np.array([[0.5, 7.0], [2.0, -3.0]]),
    }
    with pytest.raises(
        TrainingError, match=r"margin 2 of 2 is the same on both sides of every pair, so its weight of 0\.3 says"
    ):
        modpo.check(table, weights=(0.2, 0.5, 0.3))
    modpo.check(table, weights=(0.5, 0.5, 0.0))
    modpo.check({**table, "rejected_margins": table["rejected_margins"] + [[0.0, 0.0], [0.0, 1e-3]]}, weights=(0.2, 0.5, 0.3))

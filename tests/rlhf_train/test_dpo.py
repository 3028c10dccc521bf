"""DPO and its robust forms: the equations by hand, what becomes of each at its limit, and who gets a gradient."""

from math import exp, log

import pytest
import torch

from rlhf_train.errors import TrainingError
from rlhf_train.objectives import dpo

# chosen, rejected, reference chosen, reference rejected: gaps of -0.5 (-2 + 1.5) and 3.75
COLUMNS = [[-9.0, -4.0], [-7.5, -8.25], [-7.0, -5.5], [-7.0, -6.0]]
GAPS = [(-9 + 7) - (-7.5 + 7), (-4 + 5.5) - (-8.25 + 6)]
BETA = 0.4
FORMS = (dpo.loss, dpo.hinge, dpo.ipo, dpo.conservative, dpo.robust, dpo.distributionally_robust)


def columns(dtype=torch.float32, **kwargs):
    return [torch.tensor(column, dtype=dtype, **kwargs) for column in COLUMNS]


def unlikely(margin):
    """-log sigmoid."""
    return log(1 + exp(-margin))


def mean(function):
    return sum(function(BETA * gap) for gap in GAPS) / 2


def test_gaps():
    assert GAPS == [-1.5, 3.75]


def test_sigmoid_by_hand():
    outcome = dpo.loss(*columns(), beta=BETA)
    assert outcome.loss.item() == pytest.approx(mean(unlikely))
    assert outcome.metrics["margin"].item() == pytest.approx(BETA * (-1.5 + 3.75) / 2)
    assert outcome.metrics["accuracy"].item() == 0.5


def test_hinge_by_hand():
    assert dpo.hinge(*columns(), beta=BETA).loss.item() == pytest.approx((1 + 0.6 + 0) / 2)


def test_ipo_by_hand():
    expected = ((-1.5 - 1 / 0.8) ** 2 + (3.75 - 1 / 0.8) ** 2) / 2
    assert dpo.ipo(*columns(), beta=BETA).loss.item() == pytest.approx(expected)


def test_conservative_by_hand():
    expected = mean(lambda margin: 0.8 * unlikely(margin) + 0.2 * unlikely(-margin))
    assert dpo.conservative(*columns(), beta=BETA, noise=0.2).loss.item() == pytest.approx(expected)


def test_robust_by_hand():
    expected = mean(lambda margin: (0.8 * unlikely(margin) - 0.2 * unlikely(-margin)) / 0.6)
    assert dpo.robust(*columns(), beta=BETA, noise=0.2).loss.item() == pytest.approx(expected)


def test_robust_is_unbiased_under_flipped_labels():
    chosen, rejected, ref_chosen, ref_rejected = columns()
    straight = dpo.robust(chosen, rejected, ref_chosen, ref_rejected, beta=BETA, noise=0.3).loss
    flipped = dpo.robust(rejected, chosen, ref_rejected, ref_chosen, beta=BETA, noise=0.3).loss
    assert (0.7 * straight + 0.3 * flipped).item() == pytest.approx(mean(unlikely))


def test_robust_refuses_labels_that_are_noise():
    with pytest.raises(TrainingError, match=r"must lie in \[0, 0.5\), got 0.5"):
        dpo.robust(*columns(), noise=0.5)


def test_distributionally_robust_by_hand():
    expected = -0.5 * log(mean(lambda margin: exp(-unlikely(margin) / 0.5)))
    assert dpo.distributionally_robust(*columns(), beta=BETA, trust=0.5).loss.item() == pytest.approx(expected)


@pytest.mark.parametrize(
    ("form", "numbers"),
    [
        (dpo.conservative, {"noise": 0.0}),
        (dpo.robust, {"noise": 0.0}),
        (dpo.distributionally_robust, {"trust": 1e4}),
    ],
)
def test_without_doubt_every_form_is_dpo(form, numbers):
    assert form(*columns(), beta=BETA, **numbers).loss.item() == pytest.approx(mean(unlikely), rel=1e-3)


@pytest.mark.parametrize("form", FORMS)
def test_the_gradient_in_double_precision(form):
    assert torch.autograd.gradcheck(
        lambda *given: form(*given, beta=BETA).loss, columns(torch.float64, requires_grad=True), fast_mode=False
    )


def test_the_gradient_is_the_doubt_in_each_pair():
    given = columns(requires_grad=True)
    dpo.loss(*given, beta=BETA).loss.backward()
    doubts = [1 / (1 + exp(BETA * gap)) for gap in GAPS]
    assert given[0].grad.tolist() == pytest.approx([-BETA * doubt / 2 for doubt in doubts])
    assert given[1].grad.tolist() == pytest.approx([BETA * doubt / 2 for doubt in doubts])


def test_a_pair_of_high_loss_counts_less_when_it_is_trusted_less():
    shares = []
    for trust in (0.2, 1.0, 100.0):
        given = columns(requires_grad=True)
        dpo.distributionally_robust(*given, beta=BETA, trust=trust).loss.backward()
        shares.append((given[0].grad[0] / given[0].grad[1]).item())
    assert shares == sorted(shares)
    assert shares[0] < 0.2 * shares[2]


@pytest.mark.parametrize("form", FORMS)
def test_extreme_inputs_stay_finite(form):
    far = torch.tensor([1e4, -1e4])
    given = [part.clone().requires_grad_() for part in (far, -far, 0 * far, 0 * far)]
    value = form(*given).loss
    value.backward()
    assert torch.isfinite(value)
    assert all(torch.isfinite(part.grad).all() for part in given)

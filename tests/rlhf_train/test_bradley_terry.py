from math import exp, log

import pytest
import torch

from rlhf_train.errors import TrainingError
from rlhf_train.objectives import bradley_terry

CHOSEN, REJECTED = [1.2, -0.5, 2.0, 0.1], [0.7, 0.4, -1.0, 1.6]
LOSSES = [log(1 + exp(-(chosen - rejected))) for chosen, rejected in zip(CHOSEN, REJECTED, strict=True)]
FORMS = (bradley_terry.loss, bradley_terry.trimmed, bradley_terry.winsorised)


def rewards(**kwargs):
    return [torch.tensor(side, dtype=torch.float64, **kwargs) for side in (CHOSEN, REJECTED)]


def test_by_hand():
    outcome = bradley_terry.loss(*rewards())
    assert outcome.loss.item() == pytest.approx(sum(LOSSES) / 4)
    assert outcome.metrics["accuracy"].item() == 0.5
    assert outcome.metrics["margin"].item() == pytest.approx((0.5 - 0.9 + 3.0 - 1.5) / 4)


def test_the_gradient_is_the_chance_of_being_wrong():
    chosen, rejected = rewards(requires_grad=True)
    bradley_terry.loss(chosen, rejected).loss.backward()
    wrong = [1 / (1 + exp(a - b)) for a, b in zip(CHOSEN, REJECTED, strict=True)]
    assert chosen.grad.tolist() == pytest.approx([-share / 4 for share in wrong])
    assert rejected.grad.tolist() == pytest.approx([share / 4 for share in wrong])


def test_a_margin_is_what_the_chosen_must_win_by():
    margin = torch.tensor([0.0, 0.25, 1.0, 2.0], dtype=torch.float64)
    gaps = [0.5 - 0.0, -0.9 - 0.25, 3.0 - 1.0, -1.5 - 2.0]
    assert bradley_terry.loss(*rewards(), margin).loss.item() == pytest.approx(sum(log(1 + exp(-gap)) for gap in gaps) / 4)


def test_smoothing_and_centring_by_hand():
    gaps = [0.5, -0.9, 3.0, -1.5]
    smooth = sum(0.9 * log(1 + exp(-gap)) + 0.1 * log(1 + exp(gap)) for gap in gaps) / 4
    centred = ((1.2 + 0.7) ** 2 + (-0.5 + 0.4) ** 2 + (2.0 - 1.0) ** 2 + (0.1 + 1.6) ** 2) / 4
    got = bradley_terry.loss(*rewards(), smoothing=0.1, centring=0.01).loss.item()
    assert got == pytest.approx(smooth + 0.01 * centred)


def test_trimmed_leaves_the_worst_out():
    kept = sorted(LOSSES)[:3]
    assert bradley_terry.trimmed(*rewards(), share=0.25).loss.item() == pytest.approx(sum(kept) / 3)
    chosen, rejected = rewards(requires_grad=True)
    bradley_terry.trimmed(chosen, rejected, share=0.25).loss.backward()
    assert chosen.grad[3].item() == 0
    assert (chosen.grad[:3] < 0).all()


def test_winsorised_holds_the_worst_at_the_worst_of_the_rest():
    ordered = sorted(LOSSES)
    assert bradley_terry.winsorised(*rewards(), share=0.5).loss.item() == pytest.approx((ordered[0] + 3 * ordered[1]) / 4)
    chosen, rejected = rewards(requires_grad=True)
    bradley_terry.winsorised(chosen, rejected, share=0.25).loss.backward()
    assert chosen.grad[3].item() == 0
    assert chosen.grad[2].item() == pytest.approx(-1 / (1 + exp(3.0)) / 4)


@pytest.mark.parametrize("form", FORMS[1:])
def test_nothing_held_back_is_bradley_terry(form):
    assert form(*rewards(), share=0.0).loss.item() == pytest.approx(sum(LOSSES) / 4)


@pytest.mark.parametrize("form", FORMS[1:])
@pytest.mark.parametrize(("share", "pairs"), [(0.05, 1), (0.26, 2), (0.5, 2), (0.7, 3), (0.75, 3)])
def test_a_share_is_rounded_up(form, share, pairs):
    """Else five in a hundred would be none of a step of sixteen, and the defence the same as none."""
    assert form(*rewards(), share=share).loss.item() == form(*rewards(), share=pairs / 4).loss.item()
    assert form(*rewards(), share=share).loss.item() < sum(LOSSES) / 4


@pytest.mark.parametrize("form", FORMS[1:])
def test_one_pair_always_counts(form):
    one = [side[:1] for side in rewards()]
    assert form(*one, share=0.9).loss.item() == pytest.approx(LOSSES[0])
    with pytest.raises(TrainingError, match=r"must lie in \[0, 1\), got 1"):
        form(*one, share=1)


@pytest.mark.parametrize("form", FORMS)
def test_extreme_rewards_stay_finite(form):
    value = form(torch.tensor([1e4, -1e4]), torch.tensor([-1e4, 1e4])).loss
    assert torch.isfinite(value)

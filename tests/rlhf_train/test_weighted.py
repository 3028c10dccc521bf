"""Weighted likelihood by hand, in its three normalisers."""

import pytest
import torch

from rlhf_train.objectives import weighted

LOGPS = [-0.5, -1.0, -2.0, -0.25, -0.5, -1.5]
OWNERS = torch.tensor([0, 0, 1, 1, 1, 2])
WEIGHTS = [2.0, 0.5, 0.0]
NLL = [0.5 + 1.0, 2.0 + 0.25 + 0.5, 1.5]
TOP = 2.0 * NLL[0] + 0.5 * NLL[1]
CASES = {"sequence": TOP / 3, "self": TOP / 2.5, "token": TOP / (2.0 * 2 + 0.5 * 3)}


@pytest.mark.parametrize("normaliser", CASES)
def test_by_hand_with_its_gradient(normaliser):
    logps = torch.tensor(LOGPS, requires_grad=True)
    outcome = weighted.loss(logps, OWNERS, torch.tensor(WEIGHTS), normaliser=normaliser)
    assert outcome.loss.item() == pytest.approx(CASES[normaliser])
    outcome.loss.backward()
    over = TOP / CASES[normaliser]
    assert logps.grad.tolist() == pytest.approx([-WEIGHTS[owner] / over for owner in OWNERS])
    assert outcome.metrics["nll"].item() == pytest.approx((NLL[0] / 2 + NLL[1] / 3 + NLL[2]) / 3)
    assert outcome.metrics["weight"].item() == pytest.approx(2.5 / 3)


def test_even_weights_by_tokens_are_supervised_learning():
    from rlhf_train.objectives import sft

    plain = sft.loss(torch.tensor(LOGPS), torch.ones(6, dtype=torch.bool)).loss
    assert weighted.loss(torch.tensor(LOGPS), OWNERS, torch.full((3,), 0.7), normaliser="token").loss.item() == pytest.approx(
        plain.item()
    )

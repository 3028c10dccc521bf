from math import exp, log

import pytest
import torch

from rlhf_train.inputs import response_logps
from rlhf_train.logps import masked_mean, token_logps
from rlhf_train.objectives import OBJECTIVES, bradley_terry, sft
from rlhf_train.text import IGNORED


def test_bradley_terry_by_hand():
    outcome = bradley_terry.loss(torch.tensor([1.2, -0.5, 2.0]), torch.tensor([0.7, 0.4, -1.0]))
    losses = [log(1 + exp(-(1.2 - 0.7))), log(1 + exp(-(-0.5 - 0.4))), log(1 + exp(-(2.0 + 1.0)))]
    assert outcome.loss.item() == pytest.approx(sum(losses) / 3)
    assert outcome.metrics["accuracy"].item() == pytest.approx(2 / 3)
    assert outcome.metrics["margin"].item() == pytest.approx((0.5 - 0.9 + 3.0) / 3)


def test_bradley_terry_gradient_is_the_chance_of_being_wrong():
    chosen = torch.tensor([0.3, -1.1], dtype=torch.float64, requires_grad=True)
    rejected = torch.tensor([0.9, 0.2], dtype=torch.float64)
    bradley_terry.loss(chosen, rejected).loss.backward()
    wrong = [1 / (1 + exp(0.3 - 0.9)), 1 / (1 + exp(-1.1 - 0.2))]
    assert chosen.grad.tolist() == pytest.approx([-share / 2 for share in wrong])


def test_sft_is_the_mean_over_response_tokens_of_the_whole_batch():
    logps = torch.tensor([[-1.0, -2.0, -4.0], [-0.5, -8.0, -16.0]])
    mask = torch.tensor([[True, True, True], [True, False, False]])
    outcome = sft.loss(logps, mask)
    assert outcome.loss.item() == pytest.approx((1 + 2 + 4 + 0.5) / 4)
    assert outcome.metrics["perplexity"].item() == pytest.approx(exp(7.5 / 4))


@pytest.mark.parametrize("name", OBJECTIVES)
def test_extreme_inputs_stay_finite(name):
    extreme = {
        "sft": (torch.tensor([[-1e4, 0.0]]), torch.tensor([[True, True]])),
        "bradley_terry": (torch.tensor([1e4, -1e4]), torch.tensor([-1e4, 1e4])),
    }[name]
    outcome = OBJECTIVES[name].loss(*extreme)
    assert torch.isfinite(outcome.loss)


def test_token_logps_agree_with_log_softmax_and_skip_ignored_labels():
    torch.manual_seed(0)
    logits, labels = torch.randn(2, 4, 5), torch.tensor([[1, 2, 3, 4], [0, IGNORED, 2, IGNORED]])
    got = token_logps(logits, labels)
    whole = torch.log_softmax(logits, -1)
    assert got[0].tolist() == pytest.approx([whole[0, t, labels[0, t + 1]].item() for t in range(3)], rel=1e-5)
    assert got[1].tolist() == pytest.approx([0.0, whole[1, 1, 2].item(), 0.0], rel=1e-5)


def test_masked_mean_of_nothing_is_zero():
    assert masked_mean(torch.tensor([3.0, 5.0]), torch.tensor([False, False])).item() == 0


def test_sft_agrees_with_the_loss_that_transformers_computes(tiny_policy):
    ids = torch.tensor([[5, 9, 33, 40, 7], [8, 8, 60, 61, 1]])
    labels = ids.clone()
    labels[:, :2] = IGNORED
    batch = {"input_ids": ids, "attention_mask": torch.ones_like(ids), "labels": labels}
    ours = sft.loss(**response_logps(tiny_policy.model, batch)).loss
    theirs = tiny_policy.model(**batch).loss
    assert ours.item() == pytest.approx(theirs.item(), rel=1e-5)

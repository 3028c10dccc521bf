from math import exp

import pytest
import torch

from rlhf_train.inputs import response_logps
from rlhf_train.objectives import sft
from rlhf_train.packing import Tree, pack


def test_sft_is_the_mean_over_response_tokens_of_the_whole_batch():
    logps = torch.tensor([[-1.0, -2.0, -4.0], [-0.5, -8.0, -16.0]])
    mask = torch.tensor([[True, True, True], [True, False, False]])
    outcome = sft.loss(logps, mask)
    assert outcome.loss.item() == pytest.approx((1 + 2 + 4 + 0.5) / 4)
    assert outcome.metrics["perplexity"].item() == pytest.approx(exp(7.5 / 4))


def test_sft_agrees_with_the_loss_that_transformers_computes(tiny_policy):
    ids = torch.tensor([[5, 9, 33, 40, 7], [8, 8, 60, 61, 1]])
    labels = ids.clone()
    labels[:, :2] = -100
    packed = pack([Tree(row[:2], (row[2:],)) for row in ids.tolist()])
    ours = sft.loss(**response_logps(tiny_policy.model, packed)).loss
    theirs = tiny_policy.model(input_ids=ids, labels=labels).loss
    assert ours.item() == pytest.approx(theirs.item(), rel=1e-5)

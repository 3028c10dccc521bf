"""Scalar heads: each pooler by hand on weights that are read from it."""

import pytest
import torch

from rlhf_train.models.heads import ScalarHead

STATES = torch.tensor([[0.5, -1.0, 2.0], [1.5, 0.25, -0.5]])


def named(head):
    return {name: weights.detach() for name, weights in head.named_parameters()}


def test_the_identity_is_a_linear_map():
    head = ScalarHead(3)
    assert list(named(head)) == ["out.weight"]
    assert head(STATES).tolist() == pytest.approx((STATES @ head.out.weight[0]).tolist())


@pytest.mark.parametrize("pooler", ["bert", "t5"])
def test_dense_poolers_by_hand(pooler):
    head = ScalarHead(3, pooler=pooler)
    held = named(head)
    inner = (STATES @ held["dense.weight"].T + held["dense.bias"]).tanh()
    assert head(STATES).tolist() == pytest.approx((inner @ held["out.weight"][0]).tolist())


@pytest.mark.parametrize("pooler", ["swiglu_bert", "swiglu_t5"])
def test_gated_poolers_by_hand(pooler):
    head = ScalarHead(3, pooler=pooler)
    held = named(head)
    assert held["gate.weight"].shape == (16, 3)
    gate, up = STATES @ held["gate.weight"][:8].T, STATES @ held["gate.weight"][8:].T
    inner = (gate * torch.sigmoid(gate) * up @ held["dense.weight"].T + held["dense.bias"]).tanh()
    assert head(STATES).tolist() == pytest.approx((inner @ held["out.weight"][0]).tolist())


def test_dropout_stands_first_where_it_is_asked_for():
    torch.manual_seed(0)
    wide = torch.ones(1, 400)
    for pooler, moves in (("t5", True), ("bert", False), ("swiglu_t5", True)):
        head = ScalarHead(400, pooler=pooler, dropout=0.5).train()
        assert (head(wide).item() != head(wide).item()) == moves, pooler
        head.eval()
        assert head(wide).item() == head(wide).item()


def test_weights_begin_small_and_without_a_bias():
    torch.manual_seed(1)
    head = ScalarHead(600, bias=True)
    assert head.out.weight.std().item() == pytest.approx(0.02, rel=0.1)
    assert head.out.bias.item() == 0
    assert ScalarHead(3).out.bias is None


def test_half_precision_states_are_scored_in_single():
    assert ScalarHead(3)(STATES.bfloat16()).dtype == torch.float32
    assert ScalarHead(3).double()(STATES.double()).dtype == torch.float64

from math import log

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from rlhf_train.logps import masked_mean, summed, token_entropies, token_logps

TOKENS, WIDTH, WORDS = 23, 6, 11


def made(dtype=torch.float32, *, bias=False):
    torch.manual_seed(0)
    hidden, weight = torch.randn(TOKENS, WIDTH, dtype=dtype), torch.randn(WORDS, WIDTH, dtype=dtype)
    extra = torch.randn(WORDS, dtype=dtype) if bias else None
    tensors = [part.requires_grad_() for part in (hidden, weight, extra) if part is not None]
    return tensors, torch.randint(WORDS, (TOKENS,))


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("chunk", [1, 7, 23, 100])
def test_chunks_are_log_softmax_whatever_their_size(chunk, bias):
    tensors, targets = made(bias=bias)
    hidden, weight, *extra = tensors
    whole = torch.log_softmax(torch.nn.functional.linear(hidden, weight, *extra), -1)[torch.arange(TOKENS), targets]
    got = token_logps(hidden, weight, targets, *extra, chunk=chunk)
    assert got.tolist() == pytest.approx(whole.tolist(), rel=1e-5)
    pull = torch.linspace(-1, 2, TOKENS)
    for ours, theirs in zip(torch.autograd.grad(got, tensors, pull), torch.autograd.grad(whole, tensors, pull), strict=True):
        assert torch.allclose(ours, theirs, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("bias", [False, True])
def test_gradients_in_double_precision(bias):
    tensors, targets = made(torch.float64, bias=bias)
    assert torch.autograd.gradcheck(lambda h, w, *b: token_logps(h, w, targets, *b, chunk=5), tensors)


def test_a_frozen_head_gets_no_gradient():
    (hidden, weight), targets = made()
    weight.requires_grad_(False)
    token_logps(hidden, weight, targets, chunk=4).sum().backward()
    assert weight.grad is None
    assert hidden.grad.abs().sum() > 0


class Largest(TorchDispatchMode):
    """Numbers in the largest tensor that any operation makes."""

    size = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        out = function(*args, **(kwargs or {}))
        for part in tree_leaves(out):
            if isinstance(part, torch.Tensor):
                self.size = max(self.size, part.numel())
        return out


def test_no_tensor_holds_a_logit_for_every_token():
    torch.manual_seed(0)
    hidden, weight = torch.randn(512, 4, requires_grad=True), torch.randn(600, 4, requires_grad=True)
    targets = torch.randint(600, (512,))
    with Largest() as largest:
        token_logps(hidden, weight, targets, chunk=8).sum().backward()
    assert largest.size <= 8 * 600
    with Largest() as largest:
        token_entropies(hidden, weight, chunk=8)
    assert 600 < largest.size <= 8 * 600
    with Largest() as whole:
        torch.log_softmax(hidden @ weight.T, -1).sum().backward()
    assert whole.size == 512 * 600


def test_half_precision_multiplies_in_half_and_sums_in_full():
    torch.manual_seed(0)
    hidden, weight = torch.randn(64, 32, requires_grad=True), torch.randn(50, 32, requires_grad=True)
    targets = torch.randint(50, (64,))
    exact = token_logps(hidden, weight, targets)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rough = token_logps(hidden, weight, targets, chunk=10)
    assert rough.dtype == torch.float32
    assert 1e-4 < (rough - exact).abs().max() < 0.2
    grads = torch.autograd.grad(rough.sum(), [hidden, weight])
    assert [grad.dtype for grad in grads] == [torch.float32] * 2
    for ours, theirs in zip(grads, torch.autograd.grad(exact.sum(), [hidden, weight]), strict=True):
        assert (ours - theirs).norm() < 0.02 * theirs.norm()


def test_sums_go_to_the_response_that_owns_each_token():
    values, owners = torch.tensor([1.0, 2.0, 4.0, 8.0]), torch.tensor([0, 2, 0, 2])
    assert summed(values, owners, 3).tolist() == [5.0, 0.0, 10.0]


def test_masked_mean_of_nothing_is_zero():
    assert masked_mean(torch.tensor([3.0, 5.0]), torch.tensor([False, False])).item() == 0
    assert masked_mean(torch.tensor([3.0, 5.0]), torch.tensor([False, True])).item() == 5


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("chunk", [1, 7, 23, 100])
def test_entropies_are_those_of_the_whole_vocabulary(chunk, bias):
    (hidden, weight, *extra), _ = made(bias=bias)
    chances = torch.nn.functional.linear(hidden, weight, *extra).softmax(-1)
    got = token_entropies(hidden, weight, *extra, chunk=chunk)
    assert got.tolist() == pytest.approx((-(chances * chances.log()).sum(-1)).tolist(), rel=1e-5)
    assert not got.requires_grad


def test_entropies_by_hand_and_at_their_limits():
    """Chances of 1/2, 1/4 and 1/4; all alike; one that is certain, the others impossible."""
    weight = torch.eye(3)
    hidden = torch.tensor([[log(2.0), 0.0, 0.0], [5.0, 5.0, 5.0], [1e4, -1e4, 0.0]])
    assert token_entropies(hidden, weight).tolist() == pytest.approx([1.5 * log(2), log(3), 0.0], abs=1e-6)
    none = torch.tensor([0.0, 0.0, -torch.inf])
    assert token_entropies(hidden[1:2], weight, none).tolist() == pytest.approx([log(2)])

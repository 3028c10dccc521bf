"""Divergences by hand, what all of them owe, and a peer's same ones."""

from math import log

import numpy as np
import pytest
import torch
from scipy.spatial.distance import jensenshannon
from scipy.stats import entropy

from rlhf_train.divergences import DIVERGENCES, between, forward_kl, skewed_jensen_shannon
from rlhf_train.errors import TrainingError

P, Q = torch.tensor([0.7, 0.2, 0.1], dtype=torch.double).log(), torch.tensor([0.5, 0.25, 0.25], dtype=torch.double).log()
RANDOM = torch.randn(2, 6, 11, dtype=torch.double, generator=torch.Generator().manual_seed(0)).log_softmax(-1)


def test_the_worked_values():
    forward = 0.7 * log(0.7 / 0.5) + 0.2 * log(0.2 / 0.25) + 0.1 * log(0.1 / 0.25)
    reverse = 0.5 * log(0.5 / 0.7) + 0.25 * log(0.25 / 0.2) + 0.25 * log(0.25 / 0.1)
    assert forward == pytest.approx(0.099273, abs=1e-6)
    found = {name: float(call(P, Q)) for name, call in DIVERGENCES.items()}
    assert found["forward_kl"] == pytest.approx(forward, abs=1e-12)
    assert found["reverse_kl"] == pytest.approx(reverse, abs=1e-12)
    assert found["reverse_kl"] == pytest.approx(0.116622, abs=1e-6)
    assert found["jeffreys"] == pytest.approx((forward + reverse) / 2, abs=1e-12)
    assert found["jensen_shannon"] == pytest.approx(0.026368, abs=1e-6)
    assert found["skewed_jensen_shannon"] == pytest.approx(0.009023, abs=1e-6)


def test_they_are_scipy_s():
    p, q = RANDOM.exp().numpy()
    assert forward_kl(*RANDOM).numpy() == pytest.approx(entropy(p, q, axis=-1))
    assert DIVERGENCES["jensen_shannon"](*RANDOM).numpy() == pytest.approx(jensenshannon(p, q, axis=-1) ** 2)


@pytest.mark.parametrize("name", DIVERGENCES)
def test_what_each_owes(name):
    call = DIVERGENCES[name]
    assert (call(*RANDOM) > 0).all()
    assert call(RANDOM[0], RANDOM[0]).abs().max() < 1e-12
    moved = torch.randperm(11, generator=torch.Generator().manual_seed(1))
    assert call(RANDOM[0][:, moved], RANDOM[1][:, moved]) == pytest.approx(call(*RANDOM))
    logits = torch.randn(3, 5, dtype=torch.double, generator=torch.Generator().manual_seed(2), requires_grad=True)
    assert torch.autograd.gradcheck(lambda raw: call(RANDOM[0, :3, :5].log_softmax(-1), raw.log_softmax(-1)), logits)


@pytest.mark.parametrize("name", ["forward_kl", "jensen_shannon", "skewed_jensen_shannon"])
def test_what_the_teacher_never_says_costs_nothing_by_itself(name):
    never = torch.tensor([[0.5, 0.5, 0.0]], dtype=torch.double).log()
    raw = torch.tensor([[0.2, 0.1, -1.0]], dtype=torch.double, requires_grad=True)
    found = DIVERGENCES[name](never, raw.log_softmax(-1))
    assert torch.isfinite(found).all()
    assert torch.isfinite(torch.autograd.grad(found.sum(), raw)[0]).all()


def test_the_skewed_one_tends_to_forward_kl():
    """Over its share, as that tends to 0 (Agarwal et al., 2024)."""
    tiny = 1e-6
    assert (skewed_jensen_shannon(P, Q, skew=tiny) / tiny).item() == pytest.approx(forward_kl(P, Q).item(), rel=1e-4)
    for skew in (0.0, 1.0, np.nan):
        with pytest.raises(TrainingError, match="skew is the teacher's share"):
            skewed_jensen_shannon(P, Q, skew=skew)


@pytest.mark.parametrize("name", DIVERGENCES)
@pytest.mark.parametrize("chunk", [0, 1, 4])
def test_between_two_models_they_are_those_of_all_logits_at_once(name, chunk):
    torch.manual_seed(3)
    teacher, student = torch.randn(10, 6).double(), torch.randn(10, 4).double().requires_grad_()
    heads = [torch.nn.Linear(6, 7).double(), torch.nn.Linear(4, 7, bias=False).double()]
    got = between(teacher, heads[0], student, heads[1], divergence=name, chunk=chunk)
    plain = DIVERGENCES[name](heads[0](teacher).log_softmax(-1).detach(), heads[1](student).log_softmax(-1))
    assert got.tolist() == pytest.approx(plain.tolist(), abs=1e-12)
    weights = torch.arange(10).double()
    found, expected = (torch.autograd.grad((each * weights).sum(), [student, heads[1].weight]) for each in (got, plain))
    for one, other in zip(found, expected, strict=True):
        assert one.flatten().tolist() == pytest.approx(other.flatten().tolist(), abs=1e-10)


def test_a_teacher_gets_no_gradient():
    states, heads = torch.randn(5, 4, requires_grad=True), [torch.nn.Linear(4, 7), torch.nn.Linear(4, 7)]
    between(states, heads[0], torch.randn(5, 4), heads[1]).sum().backward()
    assert states.grad is None
    assert heads[0].weight.grad is None
    assert heads[1].weight.grad is not None


def test_the_skew_reaches_the_skewed_one():
    states, heads = torch.randn(5, 4), [torch.nn.Linear(4, 7), torch.nn.Linear(4, 7)]
    laws = [head(states).log_softmax(-1) for head in heads]
    for skew in (0.2, 0.9):
        got = between(states, heads[0], states, heads[1], divergence="skewed_jensen_shannon", skew=skew)
        assert got.tolist() == pytest.approx(skewed_jensen_shannon(*laws, skew=skew).tolist(), abs=1e-6)
    assert between(states[:0], heads[0], states[:0], heads[1]).tolist() == []

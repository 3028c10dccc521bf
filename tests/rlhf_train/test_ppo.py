"""PPO by its gradient (its value says nothing), and credit by hand."""

from math import exp, log

import pytest
import torch

from rlhf_train import credit
from rlhf_train.objectives import ppo

NONE = torch.zeros(3)


def policy_gradient(ratio, advantages, clip=0.2):
    new = torch.tensor([log(part) - 1.0 for part in ratio], requires_grad=True)
    old = torch.full((3,), -1.0)
    ppo.loss(new, NONE, old, NONE, torch.tensor(advantages), NONE, clip=clip).loss.backward()
    return new.grad.tolist()


def test_the_gradient_stops_where_the_policy_moved_far_enough_the_right_way():
    got = policy_gradient([1.5, 0.5, 1.1], [2.0, 1.0, 4.0])
    assert got == pytest.approx([0.0, -0.5 * 1.0 / 3, -1.1 * 4.0 / 3])
    got = policy_gradient([1.5, 0.5, 0.9], [-2.0, -1.0, -4.0])
    assert got == pytest.approx([1.5 * 2.0 / 3, 0.0, 0.9 * 4.0 / 3])


def test_where_nothing_has_moved_it_is_the_policy_gradient():
    assert policy_gradient([1.0, 1.0, 1.0], [2.0, -1.0, 0.5]) == pytest.approx([-2 / 3, 1 / 3, -0.5 / 3])


def test_value_loss_by_hand_and_its_gradient_stops_likewise():
    values = torch.tensor([1.0, 0.1, -2.0], requires_grad=True)
    old, returns = torch.tensor([0.0, 0.0, -1.0]), torch.tensor([3.0, 2.0, 1.0])
    outcome = ppo.loss(NONE, values, NONE, old, NONE, returns, value_clip=0.5, value_weight=0.1)
    larger = [max((1 - 3) ** 2, (0.5 - 3) ** 2), (0.1 - 2) ** 2, max((-2 - 1) ** 2, (-1.5 - 1) ** 2)]
    assert outcome.loss.item() == pytest.approx(0.1 * sum(larger) / 3 / 2)
    outcome.loss.backward()
    assert values.grad.tolist() == pytest.approx([0.0, 0.1 * (0.1 - 2) / 3, 0.1 * (-2 - 1) / 3])


def test_how_far_the_policy_moved():
    new, old = torch.tensor([-1.0, -2.0, -0.5]), torch.tensor([-1.2, -1.5, -0.5])
    outcome = ppo.loss(new, NONE, old, NONE, torch.tensor([1.0, -1.0, 1.0]), NONE, clip=0.1)
    assert outcome.metrics["moved"].item() == pytest.approx((exp(0.2) - 1 - 0.2 + exp(-0.5) - 1 + 0.5) / 3)
    assert outcome.metrics["clipped"].item() == pytest.approx(2 / 3)


def test_extreme_ratios_stay_finite():
    far = torch.tensor([50.0, -50.0, 0.0])
    assert torch.isfinite(ppo.loss(far, NONE, NONE, NONE, torch.ones(3), NONE).loss)


def test_suffix_sums_by_hand():
    got = credit.suffix_sums(torch.tensor([[1.0, 2.0, 4.0], [3.0, 0.0, 5.0]]), 0.5)
    assert got.tolist() == [[1 + 0.5 * (2 + 0.5 * 4), 2 + 0.5 * 4, 4.0], [3 + 0.25 * 5, 2.5, 5.0]]


MASK = torch.tensor([[True, True, True], [True, True, False]])


def test_suffix_sums_at_their_limits_and_their_gradient():
    values = torch.tensor([[1.0, 2.0, 4.0], [3.0, 0.0, 5.0]], dtype=torch.float64, requires_grad=True)
    assert credit.suffix_sums(values, 0.0).tolist() == values.tolist()
    assert credit.suffix_sums(values, 1.0).tolist() == [[7, 6, 4], [8, 5, 5]]
    assert torch.autograd.gradcheck(lambda values: credit.suffix_sums(values, 0.7), [values])


def test_rows_are_padded_and_come_back():
    values, owners = torch.arange(1.0, 7.0), torch.tensor([0, 0, 1, 3, 3, 3])
    rows, mask = credit.padded(values, owners, 4)
    assert rows.tolist() == [[1, 2, 0], [3, 0, 0], [0, 0, 0], [4, 5, 6]]
    assert rows[mask].tolist() == values.tolist()
    assert credit.padded(values[:0], owners[:0], 0)[0].shape == (0, 0)


def test_rewards_are_shaped_by_kl_and_scored_at_the_end():
    logps, refs = torch.tensor([[-1.0, -2.0, -3.0], [-1.0, -4.0, -9.0]]), torch.tensor([[-1.5, -2.0, -2.0], [-2.0, -3.0, 0.0]])
    got = credit.token_rewards(torch.tensor([10.0, 20.0]), logps, refs, MASK, kl_weight=0.1)
    assert got.flatten().tolist() == pytest.approx([-0.05, 0.0, 0.1 + 10, -0.1, 0.1 + 20, 0.0])


def test_advantages_by_hand():
    rewards, values = torch.tensor([[0.5, -1.0, 2.0], [1.0, 3.0, 0.0]]), torch.tensor([[1.0, 0.5, 0.25], [2.0, 1.0, 7.0]])
    got = credit.advantages(rewards, values, MASK, gamma=0.9, lam=0.5)
    third = 2.0 - 0.25
    second = (-1.0 + 0.9 * 0.25 - 0.5) + 0.45 * third
    first = (0.5 + 0.9 * 0.5 - 1.0) + 0.45 * second
    last = 3.0 - 1.0
    assert got.flatten().tolist() == pytest.approx([first, second, third, (1 + 0.9 * 1 - 2) + 0.45 * last, last, 0.0])


def test_advantages_of_lambda_1_are_returns_less_values():
    torch.manual_seed(0)
    rewards, values, mask = torch.randn(2, 3) * MASK, torch.randn(2, 3), MASK
    got = credit.advantages(rewards, values, mask, gamma=0.8, lam=1.0)
    assert torch.allclose(got, (credit.suffix_sums(rewards, 0.8) - values) * mask)


def test_whitened_where_the_mask_is_true():
    got = credit.whiten(torch.tensor([[1.0, 2.0, 6.0], [3.0, 8.0, 99.0]]), MASK)
    assert got[MASK].mean().item() == pytest.approx(0, abs=1e-6)
    assert got[MASK].std(correction=0).item() == pytest.approx(1, rel=1e-5)
    assert got[1, 2].item() == 0

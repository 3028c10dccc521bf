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


def test_rewards_are_shaped_by_kl():
    logps, refs = torch.tensor([[-1.0, -2.0, -3.0], [-1.0, -4.0, -9.0]]), torch.tensor([[-1.5, -2.0, -2.0], [-2.0, -3.0, 0.0]])
    rewards = torch.tensor([[0.0, 3.0, 10.0], [0.0, 20.0, 0.0]])
    got = credit.token_rewards(rewards, logps, refs, MASK, kl_weight=0.1)
    assert got.flatten().tolist() == pytest.approx([-0.05, 3.0, 0.1 + 10, -0.1, 0.1 + 20, 0.0])


# two segments of 3 and 2 tokens and an end token; one of 1 and an end token; one that is all of 2
ENDS = torch.tensor([0, 0, 1, 0, 1, 0, 1, 0, 0, 1], dtype=torch.bool)
OWNERS = torch.tensor([0, 0, 0, 0, 0, 0, 1, 1, 2, 2])
SEGMENTS = torch.tensor([0.6, -0.3, 0.5, 4.0], dtype=torch.float64)


@pytest.mark.parametrize(
    ("mode", "first", "ahead", "others"),
    [
        ("end", [0, 0, 0.6, 0, -0.3, 0], [0.3, 0.3, 0.3, -0.3, -0.3, 0], [0.5, 0, 0, 4]),
        ("even", [0.2, 0.2, 0.2, -0.15, -0.15, 0], [0.3, 0.1, -0.1, -0.3, -0.15, 0], [0.5, 0, 2, 2]),
        ("repeat", [0.6, 0.6, 0.6, -0.3, -0.3, 0], [1.2, 0.6, 0, -0.6, -0.3, 0], [0.5, 0, 4, 4]),
    ],
)
def test_rewards_of_segments_are_spread_over_their_tokens(mode, first, ahead, others):
    got = credit.spread(SEGMENTS, ENDS, OWNERS, mode=mode)
    assert got.tolist() == pytest.approx([*first, *others], abs=1e-12)
    assert credit.suffix_sums(got[None, :6], 1.0)[0].tolist() == pytest.approx(ahead, abs=1e-12)


def test_segments_add_up_to_their_sum_or_their_mean():
    rewards, owners = torch.tensor([0.6, -0.3, 0.9, 2.0, -1.0, 4.0], dtype=torch.float64), torch.tensor([0, 0, 0, 1, 2, 2])
    assert torch.equal(credit.totalled(rewards, owners), rewards)
    assert credit.totalled(rewards, owners, total="mean").tolist() == pytest.approx([0.2, -0.1, 0.3, 2.0, -0.5, 2.0])
    gains = [0.6, (0.6 - 0.3) / 2 - 0.6, (0.6 - 0.3 + 0.9) / 3 - (0.6 - 0.3) / 2, 2.0, -1.0, (-1 + 4) / 2 + 1]
    assert credit.totalled(rewards, owners, total="gain").tolist() == pytest.approx(gains)
    assert credit.totalled(rewards[:0], owners[:0], total="gain").tolist() == []


def test_one_more_segment_pays_a_gain_only_if_it_raises_the_mean():
    """What is good and below the mean so far lowers a gain, and would pay in a mean."""
    rewards, owners = torch.tensor([2.0, 0.5]), torch.tensor([0, 0])
    assert credit.totalled(rewards, owners, total="gain")[1] < 0 < credit.totalled(rewards, owners, total="mean")[1]


def plainly(rewards, ends, owners, mode):
    """The same, a token at a time."""
    found, left, start = [0.0] * len(ends), rewards.tolist(), 0
    for at, ended in enumerate(ends.tolist()):
        if at and owners[at] != owners[at - 1]:
            start = at
        if ended:
            reward, size = left.pop(0), at + 1 - start
            shares = {"even": [reward / size] * size, "end": [0.0] * (size - 1) + [reward], "repeat": [reward] * size}[mode]
            found[start : at + 1] = shares
            start = at + 1
    return found


@pytest.mark.parametrize("mode", ["even", "end", "repeat"])
@pytest.mark.parametrize("seed", range(3))
def test_a_spread_reward_is_the_segments_own(mode, seed):
    """Of responses with an end token that is no segment's, and without one; "repeat" counts it as often as it has tokens."""
    torch.manual_seed(seed)
    ends, owners = torch.rand(60) < 0.3, torch.arange(5).repeat_interleave(12)
    ends[11::12] = torch.tensor([False, True, False, True, False])
    ends[10::12] = True
    rewards = torch.randn(int(ends.sum()), dtype=torch.float64)
    got = credit.spread(rewards, ends, owners, mode=mode)
    assert got.tolist() == pytest.approx(plainly(rewards, ends, owners, mode), abs=1e-12)
    if mode != "repeat":
        own = [part.sum().item() for part in rewards.split(ends.view(5, 12).sum(1).tolist())]
        assert got.view(5, 12).sum(1).tolist() == pytest.approx(own)


def test_rewards_of_segments_in_figures():
    """0.5, 1.4 and 1.6 over 1, 7 and 4 tokens."""
    ends = torch.tensor([at in (0, 7, 11) for at in range(12)])
    got = credit.spread(torch.tensor([0.5, 1.4, 1.6]), ends, torch.zeros(12, dtype=torch.long))
    assert got.tolist() == pytest.approx([0.5] + [0.2] * 7 + [0.4] * 4)


def test_a_token_has_no_more_than_the_clip():
    got = credit.spread(SEGMENTS, ENDS, OWNERS, mode="even", clip=0.18)
    assert got.tolist() == pytest.approx([0.18, 0.18, 0.18, -0.15, -0.15, 0, 0.18, 0, 0.18, 0.18])


def test_no_segments_no_rewards():
    assert credit.spread(SEGMENTS[:0], ENDS[:0], OWNERS[:0]).tolist() == []


def test_dense_rewards_to_whitened_advantages_by_hand():
    """Rewards of segments, KL of -0.2 to 0.3 nats, gamma 1, lambda 0.95: each delta is reward + next value - value."""
    rewards, values = torch.tensor([[0.2, 0.2, -0.3, 0.0]]).double(), torch.tensor([[0.5, 0.4, 0.3, 0.1]]).double()
    moved, mask = torch.tensor([[0.1, -0.2, 0.3, 0.0]]).double(), torch.ones(1, 4, dtype=torch.bool)
    shaped = credit.token_rewards(rewards, moved, torch.zeros(1, 4).double(), mask, kl_weight=0.01)
    assert shaped[0].tolist() == pytest.approx([0.2 - 0.001, 0.2 + 0.002, -0.3 - 0.003, 0.0])
    gains = credit.advantages(shaped, values, mask, gamma=1.0, lam=0.95)
    last = 0.0 - 0.1
    third = (-0.303 + 0.1 - 0.3) + 0.95 * last
    second = (0.202 + 0.3 - 0.4) + 0.95 * third
    first = (0.199 + 0.4 - 0.5) + 0.95 * second
    assert gains[0].tolist() == pytest.approx([first, second, third, last])
    assert gains[0].tolist() == pytest.approx([-0.343795, -0.4661, -0.598, -0.1], abs=1e-6)
    assert (gains + values)[0].tolist() == pytest.approx([0.156205, -0.0661, -0.298, 0.0], abs=1e-6)
    assert credit.whiten(gains, mask)[0].tolist() == pytest.approx([0.180863, -0.485842, -1.204850, 1.509829], abs=1e-6)


def test_clipped_losses_in_figures():
    """A ratio of 1.3 under a clip of 0.2, and a value of 0.9 that was 0.5 under a clip of 0.25, for a return of 1.2."""
    one, none = torch.tensor([log(1.3)]), torch.zeros(1)
    for advantage, wanted in ((0.5, -1.2 * 0.5), (-0.5, 1.3 * 0.5)):
        outcome = ppo.loss(one, none, none, none, torch.tensor([advantage]), none)
        assert outcome.metrics["policy_loss"].item() == pytest.approx(wanted)
    outcome = ppo.loss(none, torch.tensor([0.9]), none, torch.tensor([0.5]), none, torch.tensor([1.2]), value_clip=0.25)
    assert outcome.metrics["value_loss"].item() == pytest.approx(max((0.9 - 1.2) ** 2, (0.75 - 1.2) ** 2) / 2)
    assert outcome.metrics["value_loss"].item() == pytest.approx(0.10125)


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

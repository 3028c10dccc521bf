"""The head's two losses and the joint one: by hand, their gradients, where they settle, and what they are at their limits."""

from math import exp, log, log1p

import pytest
import torch

from rlhf_train.errors import TrainingError
from rlhf_train.objectives import bradley_terry, dpo
from rlhf_train.objectives import direct_preference_head as dph

CHOSEN, REJECTED = [0.5, 2.0], [-0.3, 1.0]
KINDS = ("separable", "contrastive")
LOGPS = [[-10.0, -4.0], [-12.0, -8.25], [-11.0, -5.5], [-11.5, -6.0]]


def rewards(chosen=CHOSEN, rejected=REJECTED, dtype=torch.float32, **kwargs):
    return [torch.tensor(side, dtype=dtype, **kwargs) for side in (chosen, rejected)]


def value(*given, **numbers):
    return dph.loss(*rewards(*given), **numbers).loss.item()


def unlikely(gap):
    """-log sigmoid."""
    return log1p(exp(-gap))


def sigmoid(gap):
    return 1 / (1 + exp(-gap))


def separable(chosen, rejected, e):
    return (1 - e) * unlikely(chosen) + e * unlikely(-chosen) + e * unlikely(rejected) + (1 - e) * unlikely(-rejected)


def contrastive(chosen, rejected, e):
    return (1 - e) * unlikely(chosen - rejected) + e * unlikely(rejected - chosen)


def test_one_pair_by_hand():
    one = [0.5], [-0.3]
    assert value(*one) == pytest.approx(separable(0.5, -0.3, 0.1), abs=1e-6)
    assert value(*one) == pytest.approx(0.524077 + 0.584355, abs=2e-6)
    assert value(*one, kind="contrastive") == pytest.approx(contrastive(0.5, -0.3, 0.1), abs=1e-6)
    assert value(*one, kind="contrastive") == pytest.approx(0.451101, abs=1e-6)
    assert value(*one, noise=0.0) == pytest.approx(1.028432, abs=1e-6)
    assert value(*one, noise=0.0, kind="contrastive") == pytest.approx(0.371101, abs=1e-6)


def test_a_batch_is_the_mean_of_its_pairs():
    outcome = dph.loss(*rewards())
    assert outcome.loss.item() == pytest.approx((1.108432 + 1.540190) / 2, abs=1e-6)
    assert outcome.metrics["accuracy"].item() == 1.0
    assert outcome.metrics["margin"].item() == pytest.approx((0.8 + 1.0) / 2)
    assert outcome.metrics["reward_size"].item() == pytest.approx((0.5 + 2.0 + 0.3 + 1.0) / 4)
    assert value(kind="contrastive") == pytest.approx((0.451101 + 0.413262) / 2, abs=1e-6)
    assert dph.loss(*rewards([0.5, 1.0], [-0.3, 2.0])).metrics["accuracy"].item() == 0.5


def test_gradients_by_hand():
    given = rewards([0.5], [-0.3], requires_grad=True)
    dph.loss(*given).loss.backward()
    assert given[0].grad.item() == pytest.approx(sigmoid(0.5) - 0.9, abs=1e-6)
    assert given[0].grad.item() == pytest.approx(-0.277541, abs=1e-6)
    assert given[1].grad.item() == pytest.approx(sigmoid(-0.3) - 0.1, abs=1e-6)
    assert given[1].grad.item() == pytest.approx(0.325557, abs=1e-6)
    given = rewards([0.5], [-0.3], requires_grad=True)
    dph.loss(*given, kind="contrastive").loss.backward()
    assert given[0].grad.item() == pytest.approx(sigmoid(0.8) - 0.9, abs=1e-6)
    assert given[0].grad.item() == pytest.approx(-0.210026, abs=1e-6)
    assert given[1].grad.item() == -given[0].grad.item()


def test_where_the_losses_settle():
    best = log(0.9 / 0.1)
    assert best == pytest.approx(2.197225, abs=1e-6)
    entropy = -0.9 * log(0.9) - 0.1 * log(0.1)
    given = rewards([best], [-best], torch.float64, requires_grad=True)
    outcome = dph.loss(*given)
    outcome.loss.backward()
    assert outcome.loss.item() == pytest.approx(2 * entropy, abs=1e-6)
    assert outcome.loss.item() == pytest.approx(0.650166, abs=1e-6)
    assert [side.grad.item() for side in given] == pytest.approx([0, 0], abs=1e-7)
    given = rewards([best], [-best], torch.float64, requires_grad=True)
    beyond = dph.loss(*given, kind="contrastive").loss
    beyond.backward()
    assert beyond.item() == pytest.approx(0.451715, abs=1e-6)
    assert given[0].grad.item() == pytest.approx(0.087805, abs=1e-6)
    assert value([best + 3], [3.0], kind="contrastive") == pytest.approx(entropy, abs=1e-6)


def test_only_the_separable_loss_has_a_zero():
    moved = [5.5, 7.0], [4.7, 6.0]
    assert value(*moved, kind="contrastive") == pytest.approx(value(kind="contrastive"), abs=1e-6)
    assert value(*moved) > value() + 1


def test_the_contrastive_loss_is_conservative_dpo_with_rewards_for_log_ratios_and_bradley_terry_without_noise():
    nothing = torch.zeros(2)
    theirs = dpo.conservative(*rewards(), nothing, nothing, beta=1.0, noise=0.2).loss.item()
    assert value(kind="contrastive", noise=0.2) == pytest.approx(theirs)
    assert value(kind="contrastive", noise=0.0) == pytest.approx(bradley_terry.loss(*rewards()).loss.item())


def test_large_rewards_can_be_made_to_cost():
    plain = value()
    assert value(shrinkage=0.3) == pytest.approx(plain + 0.3 * (0.5**2 + 0.3**2 + 2.0**2 + 1.0**2) / 2)


def joint(*changes, **numbers):
    return dph.joint(*rewards(), *map(torch.tensor, LOGPS), **numbers)


def test_the_joint_loss_by_hand():
    one = [[side[0]] for side in LOGPS]
    gap = 0.1 * ((-10 + 12) - (-11 + 11.5))
    assert gap == pytest.approx(0.15)
    policy = 0.9 * unlikely(gap) + 0.1 * unlikely(-gap)
    assert policy == pytest.approx(0.635957, abs=1e-6)
    for kind, head, both in (("separable", 1.108432, 1.744389), ("contrastive", 0.451101, 1.087058)):
        outcome = dph.joint(*rewards([0.5], [-0.3]), *map(torch.tensor, one), kind=kind)
        assert outcome.loss.item() == pytest.approx(both, abs=2e-6)
        assert outcome.metrics["head_loss"].item() == pytest.approx(head, abs=1e-6)
        assert outcome.metrics["policy_loss"].item() == pytest.approx(policy, abs=1e-6)
        weighed = dph.joint(*rewards([0.5], [-0.3]), *map(torch.tensor, one), kind=kind, head_weight=0.5, policy_weight=3.0)
        assert weighed.loss.item() == pytest.approx(0.5 * head + 3 * policy, abs=3e-6)


def test_each_part_of_the_joint_loss_is_the_loss_by_itself():
    sides = list(map(torch.tensor, LOGPS))
    head = dph.loss(*rewards(), kind="contrastive", noise=0.3, shrinkage=0.2).loss.item()
    policy = dpo.conservative(*sides, beta=0.4, noise=0.05)
    numbers = {"kind": "contrastive", "noise": 0.3, "shrinkage": 0.2, "beta": 0.4, "policy_noise": 0.05}
    assert joint(**numbers, policy_weight=0.0).loss.item() == pytest.approx(head)
    assert joint(**numbers, head_weight=0.0).loss.item() == pytest.approx(policy.loss.item())
    assert joint(**numbers).metrics["policy_margin"].item() == pytest.approx(policy.metrics["margin"].item())
    assert joint(**numbers).metrics["accuracy"].item() == 1.0
    assert joint(**numbers).metrics["policy_accuracy"].item() == policy.metrics["accuracy"].item()


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_in_double_precision(kind):
    given = [*rewards(dtype=torch.float64), *(torch.tensor(side, dtype=torch.float64) for side in LOGPS)]
    given = [side.requires_grad_() for side in given]

    def value(*given):
        return dph.joint(*given, kind=kind, noise=0.2, shrinkage=0.1, beta=0.3).loss

    assert torch.autograd.gradcheck(value, given)


@pytest.mark.parametrize("kind", KINDS)
def test_extreme_inputs_stay_finite(kind):
    far = torch.tensor([1e4, -1e4])
    given = [side.clone().requires_grad_() for side in (far, -far, far, -far, 0 * far, 0 * far)]
    outcome = dph.joint(*given, kind=kind)
    outcome.loss.backward()
    assert torch.isfinite(outcome.loss)
    assert all(torch.isfinite(side.grad).all() for side in given[:4])


@pytest.mark.parametrize(
    ("numbers", "said"),
    [
        ({"noise": 0.5}, r"noise is the share of labels that are wrong and must lie in \[0, 0.5\), got 0.5"),
        ({"noise": -0.1}, "noise is the share"),
        ({"policy_noise": 0.7}, "policy_noise is the share of labels"),
        ({"shrinkage": -1.0}, "shrinkage must be 0 or more, got -1"),
        ({"head_weight": -1.0}, "head_weight must be 0 or more, got -1"),
        ({"policy_weight": -2.0}, "policy_weight must be 0 or more, got -2"),
        ({"backbone": "frozen"}, "joint_preference_head teaches the policy too, which backbone 'frozen' forbids"),
    ],
)
def test_numbers_that_can_not_serve_are_named(numbers, said):
    with pytest.raises(TrainingError, match=said):
        dph.check_joint({}, **numbers)
    dph.check({}, noise=0.0, backbone="frozen", kind="separable")
    dph.check_joint({}, backbone="full", noise=0.49)

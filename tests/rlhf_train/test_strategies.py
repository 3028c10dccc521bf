"""Policies over strategies: the closed form by hand, what is measured of it, and REINFORCE that finds it."""

from math import exp

import numpy as np
import pytest

from rlhf_train.errors import TrainingError
from rlhf_train.strategies import Policy, estimate, fpr_both_wrong, levels, objective, start, tilted, train

# correct, edge bug, hard-coded, off by one, crash; a problem that can be solved, and one that can't
INITIAL = np.array([[0.5, 0.15, 0.05, 0.2, 0.1], [0.0, 0.3, 0.1, 0.35, 0.25]])
WEIGHTS = np.array([0.3, 0.7])
CORRECT = np.array([1.0, 0, 0, 0, 0])
PROXY = np.array([[1.0, 1, 1, 0, 0]] * 2)
APPROVED = np.array([0.90, 0.80, 0.85, 0.15, 0.02])


@pytest.mark.parametrize(
    ("rewards", "wanted"),
    [
        (np.zeros((2, 5)), (0.1500, 0.4611, 0.3411, 0.3836)),
        (PROXY, (0.2137, 0.8256, 0.6546, 0.8053)),
        (np.array([CORRECT] * 2), (0.2980, 0.5367, 0.2983, 0.3825)),
    ],
    ids=["initial", "two easy tests", "all tests"],
)
def test_levels_of_the_closed_form(rewards, wanted):
    found = levels(tilted(INITIAL, rewards, beta=0.2), CORRECT, APPROVED, WEIGHTS)
    assert list(found) == ["correctness", "approval", "error", "fpr"]
    assert list(found.values()) == pytest.approx(wanted, abs=5e-5)


@pytest.mark.parametrize(
    ("rewards", "wanted"), [(PROXY, (0.3829, 0.8053)), (np.array([CORRECT] * 2), (0.3825, 0.3825))], ids=["proxy", "oracle"]
)
def test_false_approval_where_both_are_wrong(rewards, wanted):
    assert fpr_both_wrong(INITIAL, tilted(INITIAL, rewards), CORRECT, APPROVED, WEIGHTS) == pytest.approx(wanted, abs=5e-5)


def test_one_problem_by_hand():
    """.5, .3, .2 with rewards 1, 0, .4 and beta .5."""
    weighed = np.array([0.5 * exp(2), 0.3, 0.2 * exp(0.8)])
    found = tilted(np.array([0.5, 0.3, 0.2]), np.array([1, 0, 0.4]), beta=0.5)
    assert found == pytest.approx(weighed / weighed.sum())


def test_limits():
    assert tilted(INITIAL, PROXY, beta=1e9) == pytest.approx(INITIAL)
    assert tilted(INITIAL, PROXY + 1e6, beta=1e-3) == pytest.approx(
        np.array([[5 / 7, 1.5 / 7, 0.5 / 7, 0, 0], [0, 0.75, 0.25, 0, 0]])
    )
    assert fpr_both_wrong(np.eye(2), np.eye(2), np.array([1.0, 0]), np.array([0.9, 0.3]), np.array([0.5, 0.5])) == (0.3, 0.3)
    with pytest.raises(TrainingError, match="beta must be above 0, got 0"):
        tilted(INITIAL, PROXY, beta=0)


def learned() -> Policy:
    random = np.random.default_rng(5)
    return Policy(INITIAL, random.normal(0, 0.5, 5), random.normal(0, 0.5, (2, 5)))


def test_the_best_policy_has_the_best_objective():
    best = Policy(INITIAL, np.zeros(5), PROXY / 0.2)
    assert objective(start(INITIAL), PROXY) == pytest.approx((0.7 + 0.4) / 2)
    assert objective(best, PROXY) == pytest.approx(0.2 * np.log((INITIAL * np.exp(PROXY / 0.2)).sum(axis=1)).mean())
    assert objective(best, PROXY) > max(objective(start(INITIAL), PROXY), objective(learned(), PROXY))


def test_estimates_are_the_slope_of_the_objective():
    """On the mean, against differences of the exact objective, within four standard errors."""
    policy, random, rewards = learned(), np.random.default_rng(0), np.array([[1.0, 0.2, 0, 0.7, 0], [0, 0.5, 1, 0, 0.1]])
    drawn = [estimate(policy, rewards, random, beta=0.2, samples=16)[:2] for _ in range(4000)]
    for which, name in enumerate(("shared", "own")):
        estimates = np.array([one[which] for one in drawn])
        wanted = np.zeros(estimates.shape[1:])
        for at in np.ndindex(wanted.shape):
            step = np.zeros(wanted.shape)
            step[at] = 1e-6
            ends = [
                objective(
                    Policy(
                        INITIAL,
                        *(
                            part + sign * step if part is getattr(policy, name) else part
                            for part in (policy.shared, policy.own)
                        ),
                    ),
                    rewards,
                )
                for sign in (1, -1)
            ]
            wanted[at] = (ends[0] - ends[1]) / 2e-6
        error = estimates.std(axis=0) / len(drawn) ** 0.5
        assert (np.abs(estimates.mean(axis=0) - wanted) <= 4 * error + 1e-9).all()
        assert np.abs(wanted).max() > 0.02


def test_training_finds_the_closed_form():
    trained = train(INITIAL, PROXY, steps=3000, samples=64, own_lr=0.5, shared_lr=0.05, seed=1)
    assert np.abs(trained.policy.chances - tilted(INITIAL, PROXY)).max() < 0.03
    assert trained.policy.chances[1, 0] == 0
    assert trained.rewards[:10].mean() < 0.7 < 0.95 < trained.rewards[-50:].mean()
    assert abs(trained.divergences[0]) < 1e-12 < 0.01 < trained.divergences[-50:].mean()


def test_the_seed_decides_all():
    one, again, other = (train(INITIAL, PROXY, steps=20, seed=seed).policy.own for seed in (1, 1, 2))
    assert (one == again).all()
    assert (one != other).any()


def test_what_cannot_be_trained_is_refused():
    with pytest.raises(TrainingError, match="add up to 1"):
        start(INITIAL * 2)
    with pytest.raises(TrainingError, match="two samples at least"):
        train(INITIAL, PROXY, samples=1)
    with pytest.raises(TrainingError, match=r"got rewards of \(1, 5\)"):
        train(INITIAL, PROXY[:1])

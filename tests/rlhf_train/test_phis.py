"""Phis: their equations on small numbers, what all of them owe, and what each can and can't do."""

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.special import expit

from rlhf_train.errors import TrainingError
from rlhf_train.phis import PHIS, linear, monotone_additive
from rlhf_train.phis.feed_forward import _rate


def pairs(rows=60, width=3, seed=0):
    """Pairs in which more of feature 0 is better, and more of feature 1 a little; feature 2 says nothing."""
    random = np.random.default_rng(seed)
    first, second = random.uniform(size=(2, rows, width))
    better = (first - second) @ np.array([4.0, 1.0, 0.0][:width]) + random.logistic(size=rows) / 4 > 0
    return np.where(better[:, None], first, second), np.where(better[:, None], second, first)


def accuracy(phi, arrays, chosen, rejected):
    return float((PHIS[phi].reward(chosen, **arrays) > PHIS[phi].reward(rejected, **arrays)).mean())


def test_one_weight_by_hand():
    """The slope of (log(1 + exp(-.8 w)) + log(1 + exp(.3 w))) / 2 + .02 w^2 / 2, for gaps .8 and -.3."""
    root = brentq(lambda w: (-0.8 * expit(-0.8 * w) + 0.3 * expit(0.3 * w)) / 2 + 0.02 * w, 0, 50)
    chosen, rejected = np.array([[0.9], [0.2]]), np.array([[0.1], [0.5]])
    assert linear.fit(chosen, rejected, ridge=0.02)["weights"] == pytest.approx([root], abs=1e-8)
    assert linear.reward(chosen, np.array([root])) == pytest.approx([0.9 * root, 0.2 * root])


@pytest.mark.parametrize("prior", [0.7, -0.4])
def test_one_weight_drawn_to_a_prior_by_hand(prior):
    root = brentq(lambda w: (-0.8 * expit(-0.8 * w) + 0.3 * expit(0.3 * w)) / 2 + 0.02 * (w - prior), -50, 50)
    chosen, rejected = np.array([[0.9], [0.2]]), np.array([[0.1], [0.5]])
    assert linear.fit(chosen, rejected, ridge=0.02, prior=prior)["weights"] == pytest.approx([root], abs=1e-5)


def test_little_ridge_forgets_a_prior_and_much_is_the_naive_mean():
    chosen, rejected = pairs()
    free = linear.fit(chosen, rejected, ridge=1e-6)["weights"]
    assert linear.fit(chosen, rejected, ridge=1e-6, prior=0.5)["weights"] == pytest.approx(free, rel=1e-2, abs=1e-2)
    assert linear.fit(chosen, rejected, ridge=1e5, prior=0.5)["weights"] == pytest.approx([0.5] * 3, abs=1e-4)


def test_a_prior_next_to_none_is_none():
    chosen, rejected = pairs()
    bare = linear.fit(chosen, rejected)["weights"]
    assert linear.fit(chosen, rejected, prior=1e-12)["weights"] == pytest.approx(bare, abs=1e-4)
    assert np.array_equal(linear.fit(chosen, rejected, prior=0.0)["weights"], bare)


def test_a_prior_stands_against_labels_that_are_turned_round():
    """And with a bound no weight is below 0 for all that they say."""
    rejected, chosen = pairs()
    free, drawn, both = (
        linear.fit(chosen, rejected, ridge=0.3, **numbers)["weights"]
        for numbers in ({}, {"prior": 1.0}, {"prior": 0.2, "nonnegative": True})
    )
    assert free[0] < -0.2 < free[0] + 0.8 < drawn[0]
    assert both.min() == 0 < both.max()


@pytest.mark.parametrize("prior", [float("nan"), float("inf")])
def test_a_prior_that_is_no_number_is_refused(prior):
    with pytest.raises(TrainingError, match="prior is the weight that each feature has before any pair is seen"):
        linear.fit(*pairs(), prior=prior)


def test_no_weight_is_below_zero_where_none_may_be():
    chosen, rejected = pairs()
    chosen, rejected = (np.column_stack([side[:, :2], -side[:, 0] / 2 + 0.5]) for side in (chosen, rejected))
    free = linear.fit(chosen, rejected)["weights"]
    held = linear.fit(chosen, rejected, nonnegative=True)["weights"]
    assert free[2] < 0 <= held.min()
    assert held[:2] == pytest.approx(linear.fit(chosen[:, :2], rejected[:, :2])["weights"], abs=1e-4)


def test_where_all_weights_are_above_zero_the_bound_changes_nothing():
    chosen, rejected = (side[:, :2] for side in pairs())
    assert linear.fit(chosen, rejected, nonnegative=True)["weights"] == pytest.approx(
        linear.fit(chosen, rejected)["weights"], abs=1e-4
    )


def test_what_a_feature_has_behind_it():
    """In four parts of [0, 1], .6 is two whole parts and two fifths of the third."""
    assert monotone_additive.risen(np.array([[0.6, 1.0]]), 4) == pytest.approx(np.array([[1, 1, 0.4, 0, 1, 1, 1, 1]]))


def test_one_step_is_a_linear_phi():
    chosen, rejected = (side[:, :2] for side in pairs())
    rises = monotone_additive.fit(chosen, rejected, steps=1)["rises"]
    assert rises.ravel() == pytest.approx(linear.fit(chosen, rejected, nonnegative=True)["weights"], abs=1e-4)


def test_straight_curves_cost_what_their_weights_do():
    """A weight of 2 in 4 parts rises by a half in each: 4 * 4 * (1/2)^2 is 2^2."""
    chosen, rejected = (side[:, :2] for side in pairs(400))
    loose, tight = (monotone_additive.fit(chosen, rejected, steps=4, ridge=ridge)["rises"] for ridge in (1e-6, 0.5))
    weights = linear.fit(chosen, rejected, ridge=0.5, nonnegative=True)["weights"]
    assert tight.sum(axis=1) == pytest.approx(weights, rel=0.15)
    assert loose.sum() > 5 * tight.sum()


def test_a_curve_may_bend_and_a_weight_may_not():
    """Enough is enough: only the first half of the feature counts."""
    random = np.random.default_rng(0)
    first, second = random.uniform(size=(2, 400, 1))
    better = np.minimum(first, 0.5) + random.uniform(-1e-6, 1e-6, (400, 1)) > np.minimum(second, 0.5)
    chosen, rejected = np.where(better, first, second), np.where(better, second, first)
    rises = monotone_additive.fit(chosen, rejected, steps=4, ridge=1e-3)["rises"][0]
    assert rises[:2].sum() > 4 * rises[2:].sum()
    assert rises.min() >= 0


@pytest.mark.parametrize("phi", sorted(set(PHIS) - {"published_network", "naive_mean"}))
def test_every_phi_learns_what_is_there(phi):
    chosen, rejected = pairs(300)
    arrays = PHIS[phi].fit(chosen, rejected)
    floor = accuracy("naive_mean", {}, *pairs(300, seed=1))
    assert accuracy(phi, arrays, *pairs(300, seed=1)) >= floor + 0.1


@pytest.mark.parametrize("phi", PHIS)
def test_every_phi_says_the_same_again(phi):
    chosen, rejected = pairs()
    first, again = (PHIS[phi].fit(chosen, rejected) for _ in range(2))
    assert first.keys() == again.keys()
    assert all(np.array_equal(first[name], again[name]) for name in first)


@pytest.mark.parametrize("phi", PHIS)
def test_a_reward_is_of_its_own_row_alone(phi):
    chosen, rejected = pairs()
    arrays = PHIS[phi].fit(chosen, rejected)
    rewards = PHIS[phi].reward(chosen, **arrays)
    assert PHIS[phi].reward(chosen[::-1][:7], **arrays)[::-1] == pytest.approx(rewards[-7:], abs=1e-12)


def test_the_seed_of_a_network_decides():
    chosen, rejected = pairs()
    assert not np.array_equal(*(PHIS["feed_forward"].fit(chosen, rejected, seed=seed)["weights_0"] for seed in (0, 1)))


def test_a_network_by_hand():
    """s(.5 * 2 - 1 * .25 + .1) * 3 - .2, of one hidden unit, s its activation."""
    arrays = {"weights_0": [[2.0], [-1.0]], "bias_0": [0.1], "weights_1": [[3.0]], "bias_1": [-0.2]}
    arrays = {name: np.array(values) for name, values in arrays.items()}
    features = np.array([[0.5, 0.25]])
    assert PHIS["feed_forward"].reward(features, **arrays) == pytest.approx([3 / (1 + np.exp(-0.85)) - 0.2])
    assert PHIS["published_network"].reward(features, **arrays) == pytest.approx([3 * 0.85 - 0.2])
    assert PHIS["published_network"].reward(features - 0.5, **arrays) == pytest.approx([3 * 0.35 - 0.2])
    assert PHIS["published_network"].reward(np.array([[0.0, 1.0]]), **arrays) == pytest.approx([0.0])


def test_the_rate_rises_and_falls():
    assert [_rate(done) for done in (0, 0.1, 0.2, 0.6, 1)] == pytest.approx([0, 0.5, 1, 0.5, 0])


@pytest.mark.parametrize("phi", PHIS)
def test_of_no_summaries_there_are_no_rewards(phi):
    assert PHIS[phi].reward(np.zeros((0, 3)), **PHIS[phi].fit(*pairs(60))).shape == (0,)

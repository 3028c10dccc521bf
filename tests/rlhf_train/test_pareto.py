"""Fronts, volumes and the closed form: by hand, against counting, and at the optimum that the form claims."""

import itertools

import numpy as np
import pytest

from rlhf_train import pareto
from rlhf_train.errors import TrainingError


def counted(points, origin):
    """The volume of whole-numbered points, by counting the unit cells that a point covers."""
    cells = itertools.product(*(range(low, max(tops)) for low, tops in zip(origin, zip(*points, strict=True), strict=True)))
    return sum(any(all(at < top for at, top in zip(cell, point, strict=True)) for point in points) for cell in cells)


def test_a_point_is_on_the_front_unless_another_is_as_good_and_better():
    points = np.array([[1.0, 3.0], [2.0, 2.0], [2.0, 1.0], [0.5, 3.0], [3.0, 0.0], [2.0, 2.0], [0.0, 0.0]])
    assert pareto.front(points).tolist() == [True, True, False, False, True, True, False]
    three = np.array([[1.0, 2.0, 3.0], [1.0, 2.0, 2.5], [0.0, 0.0, 3.5]])
    assert pareto.front(three).tolist() == [True, False, True]


def test_two_rewards_by_hand():
    # steps of 1 x 4, then 1 x 2.5, then 2 x 1, from an origin of (-1, -1)
    points = np.array([[3.0, 0.0], [0.0, 3.0], [1.0, 1.5], [0.5, 1.0], [-2.0, 9.0]])
    assert pareto.hypervolume(points, (-1.0, -1.0)) == pytest.approx(1 * 4 + 1 * 2.5 + 2 * 1)


def test_one_and_three_rewards_by_hand():
    assert pareto.hypervolume(np.array([[2.0], [5.0], [3.0]]), [1.0]) == pytest.approx(4.0)
    # boxes of 2 x 3 x 4 and 5 x 1 x 2 that share 2 x 1 x 2
    assert pareto.hypervolume(np.array([[2.0, 3.0, 4.0], [5.0, 1.0, 2.0]]), [0, 0, 0]) == pytest.approx(24 + 10 - 4)


@pytest.mark.parametrize("rewards", [2, 3, 4])
@pytest.mark.parametrize("seed", range(4))
def test_volumes_are_what_counting_finds(rewards, seed):
    points = np.random.default_rng(seed).integers(-1, 6, (7, rewards))
    origin = [-1] * rewards
    assert pareto.hypervolume(points, origin) == pytest.approx(counted(points.tolist(), origin))


def test_what_is_beaten_adds_no_volume_and_order_means_nothing():
    points = np.random.default_rng(0).normal(size=(12, 3))
    whole = pareto.hypervolume(points, [-3.0] * 3)
    assert pareto.front(points).sum() < 12
    assert pareto.hypervolume(points[pareto.front(points)], [-3.0] * 3) == pytest.approx(whole)
    assert pareto.hypervolume(points[::-1], [-3.0] * 3) == pytest.approx(whole)
    assert pareto.hypervolume(points[:, ::-1], [-3.0] * 3) == pytest.approx(whole)
    assert pareto.hypervolume(np.concatenate([points, points]), [-3.0] * 3) == pytest.approx(whole)
    assert pareto.hypervolume(np.concatenate([points, points.max(0, keepdims=True) + 1]), [-3.0] * 3) > whole + 1


def test_what_is_not_above_the_origin_covers_nothing():
    assert pareto.hypervolume(np.array([[1.0, -1.0], [0.0, 5.0]]), [0.0, 0.0]) == 0.0


def test_the_closed_form_by_hand():
    ref, rewards = np.array([0.5, 0.3, 0.2]), np.array([[1.0, 0.0], [0.0, 1.0], [2.0, -1.0]])
    best = np.exp(pareto.closed_form(np.log(ref), rewards, (0.4, 0.6), beta=0.5))
    weighed = [0.5 * np.exp(0.4 / 0.5), 0.3 * np.exp(0.6 / 0.5), 0.2 * np.exp((0.8 - 0.6) / 0.5)]
    assert best == pytest.approx(np.array(weighed) / 2.407170480595452)
    assert best == pytest.approx([0.46227322627, 0.413778369605, 0.123948404126])


def test_no_policy_beats_the_closed_form_and_it_loses_beta_kl_to_it():
    """J* - J = beta KL(pi || pi*), for every prompt by itself."""
    random = np.random.default_rng(1)
    ref, other = (np.log(random.dirichlet(np.ones(5), size=3)) for _ in range(2))
    rewards, weights, beta = random.normal(size=(3, 5, 2)), np.array([0.7, 0.3]), 0.4
    best = pareto.closed_form(ref, rewards, weights, beta=beta)
    assert np.exp(best).sum(-1) == pytest.approx([1, 1, 1])

    def value(logps):
        return (np.exp(logps) * (rewards @ weights - beta * (logps - ref))).sum(-1)

    lost = value(best) - value(other)
    assert (lost > 0.01).all()
    assert lost == pytest.approx(beta * (np.exp(other) * (other - best)).sum(-1))


def test_large_rewards_stay_finite():
    best = pareto.closed_form(np.log([0.25, 0.75]), np.array([[1e4], [-1e4]]), (1.0,), beta=0.1)
    assert np.exp(best).tolist() == [1.0, 0.0]
    assert np.isfinite(best).all()


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: pareto.front(np.zeros(3)), r"points must be \[policies, rewards\], got \[3\]"),
        (lambda: pareto.front(np.array([[1.0, np.nan]])), "points must be finite, got nan"),
        (lambda: pareto.hypervolume(np.zeros((2, 2)), [0.0]), "origin needs a number for each of 2 rewards"),
        (lambda: pareto.closed_form(np.zeros(2), np.zeros((2, 1)), [1.0], beta=0.0), "beta is .* must be above 0, got 0"),
    ],
)
def test_what_can_not_be_measured_is_refused(call, said):
    with pytest.raises(TrainingError, match=said):
        call()


def test_a_sweep_is_every_weight_of_the_grid_once():
    assert pareto.sweep() == [(1.0, 0.0), (0.8, 0.2), (0.6, 0.4), (0.4, 0.6), (0.2, 0.8), (0.0, 1.0)]
    three = pareto.sweep(3, parts=4)
    expected = [each for each in itertools.product(range(4, -1, -1), repeat=3) if sum(each) == 4]
    assert [tuple(round(4 * weight) for weight in each) for each in three] == expected
    assert pareto.sweep(1, parts=3) == [(1.0,)]

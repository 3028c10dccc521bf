"""Rewards of segments on one scale: published constants by hand, lines that are recovered, and where none must be followed."""

from math import exp, log

import numpy as np
import pytest
from scipy.optimize import minimize

from rlhf_train import normalisers
from rlhf_train.errors import TrainingError
from rlhf_train.normalisers import ByPosition, Overall, by_position, line, overall

PHI = ByPosition(0.7668, 0.2569, 0.4705, 2.8339)
QUARTERS = np.array([0.25, 0.5, 0.75, 1.0])


def test_published_constants_by_hand():
    """Phi-3 at a cutoff of 1.75."""
    means = [0.7668 * log(p) + 0.4705 for p in QUARTERS]
    stds = [0.2569 * log(p) + 2.8339 for p in QUARTERS]
    assert PHI.mean(QUARTERS).tolist() == pytest.approx(means, abs=1e-8)
    assert means == pytest.approx([-0.592511, -0.061005, 0.249905, 0.4705], abs=1e-6)
    assert PHI.std(QUARTERS).tolist() == pytest.approx(stds, abs=1e-8)
    assert stds == pytest.approx([2.477761, 2.655830, 2.759994, 2.8339], abs=1e-6)
    got = PHI.apply(np.array([1.0, 0.5, 2.0, -1.0]), QUARTERS)
    assert got.tolist() == pytest.approx([0.642722, 0.211235, 0.634094, -0.518896], abs=1e-6)


def test_an_exact_line_is_recovered():
    slope, end = line(QUARTERS, 0.7 * np.log(QUARTERS) + 0.5)
    assert slope == pytest.approx(0.7, abs=1e-8)
    assert end == pytest.approx(0.5, abs=1e-8)


def test_the_line_minimises_hubers_loss():
    """Of slope, end and scale s together: sum of s + s H((y - line) / s), quadratic up to 1.35 (Owen, 2007)."""
    random = np.random.default_rng(0)
    places = np.arange(1, 41) / 40
    values = 0.8 * np.log(places) - 0.3 + 0.2 * random.normal(size=40)
    values[::7] += 5.0

    def cost(at):
        scale = exp(at[2])
        off = np.abs(values - at[0] * np.log(places) - at[1]) / scale
        return (scale * (1 + np.where(off < 1.35, off**2, 2 * 1.35 * off - 1.35**2))).sum()

    best = minimize(cost, [0.5, 0.0, -1.0], method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-12, "maxiter": 5000})
    assert line(places, values) == pytest.approx(best.x[:2], abs=1e-4)
    least_squares = np.polyfit(np.log(places), values, 1)
    assert abs(least_squares[1] + 0.3) > 2 * abs(best.x[1] + 0.3)


def test_each_position_counts_alike_however_often_it_was_seen():
    """At p = 1/2 rewards 1 and 3, at p = 1 nine times 4 and once 14: means 2 and 5, population stds 1 and 3."""
    rewards, places = np.array([1.0, 3.0, *[4.0] * 9, 14.0]), np.array([0.5] * 2 + [1.0] * 10)
    found = by_position(rewards, places)
    assert found.mean(np.array([0.5, 1.0])).tolist() == pytest.approx([2, 5], abs=1e-6)
    assert found.std(np.array([0.5, 1.0])).tolist() == pytest.approx([1, 3], abs=1e-6)
    assert found.mean_slope == pytest.approx(3 / log(2), abs=1e-6)


def test_positions_are_put_together_to_three_decimals():
    rewards = np.array([1.0, 3.0, 7.0, 9.0])
    found = by_position(rewards, np.array([1 / 3, 0.3334, 1.0, 0.9996]))
    assert found.mean(np.array([0.333, 1.0])).tolist() == pytest.approx([2, 8], abs=1e-6)


def test_a_position_that_was_seldom_seen_may_be_left_out():
    rewards, places = np.array([1.0, 3.0, 50.0, 4.0, 6.0]), np.array([0.5, 0.5, 0.75, 1.0, 1.0])
    found = by_position(rewards, places, least=2)
    assert found.mean(np.array([0.5, 1.0])).tolist() == pytest.approx([2, 5], abs=1e-6)
    assert found.std(np.array([0.75])).tolist() == pytest.approx([1], abs=1e-6)


def test_what_drifts_with_position_no_longer_does():
    random = np.random.default_rng(1)
    places = np.concatenate([np.arange(1, count + 1) / count for count in random.integers(3, 12, 3000)])
    rewards = 2 + 1.5 * np.log(places) + (1.2 + 0.2 * np.log(places)) * random.normal(size=len(places))
    after = by_position(rewards, places).apply(rewards, places)
    assert np.corrcoef(rewards, places)[0, 1] > 0.3
    assert abs(np.corrcoef(after, places)[0, 1]) < 0.05
    assert after.mean() == pytest.approx(0, abs=0.05)
    assert after.std() == pytest.approx(1, abs=0.05)


def test_where_the_line_of_the_std_crosses_zero_a_floor_stands_for_it():
    """Llama 3's constants, token by token: exp(5.4513 / 0.9906) = 245 segments are the most."""
    llama = ByPosition(1.7340, 0.9906, 1.3212, 5.4513)
    assert llama.most_segments == pytest.approx(exp(5.4513 / 0.9906))
    assert int(llama.most_segments) == 245
    assert 0.9906 * log(1 / 245) + 5.4513 > 0 > 0.9906 * log(1 / 246) + 5.4513
    early = np.array([1 / 400])
    assert llama.std(early).tolist() == pytest.approx([0.1 * 5.4513])
    assert (llama.apply(np.array([3.0, 9.0]), early.repeat(2)) > 0).all()
    without = (3.0 - llama.mean(early)) / (0.9906 * log(1 / 400) + 5.4513)
    assert without < 0
    assert PHI.most_segments > 60_000
    assert ByPosition(1.0, -0.5, 0.0, 1.0).most_segments == float("inf")


def test_one_mean_and_one_std():
    found = overall(np.array([1.0, 3.0, 8.0]))
    assert (found.mean, found.std) == pytest.approx((4.0, ((9 + 1 + 16) / 3) ** 0.5))
    assert Overall(-0.5195, 2.156).apply(np.array([1.0]), np.array([1.0])).tolist() == pytest.approx([1.5195 / 2.156])


@pytest.mark.parametrize("normaliser", [PHI, ByPosition(0.1, 0.2, 0.3, 0.4, floor=0.5), Overall(1.5, 2.5)])
def test_saved_is_loaded(normaliser, tmp_path):
    normalisers.save(normaliser, tmp_path / "normaliser.json")
    assert normalisers.load(tmp_path / "normaliser.json") == normaliser


@pytest.mark.parametrize(
    "text", ["", "[]", '{"kind": "by_place"}', '{"kind": "overall", "width": 1}', '{"kind": "overall", "std": "a"}']
)
def test_a_file_that_holds_none_is_named(text, tmp_path):
    (tmp_path / "normaliser.json").write_text(text)
    with pytest.raises(TrainingError, match=r"normaliser\.json: holds no normaliser"):
        normalisers.load(tmp_path / "normaliser.json")


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: by_position(np.array([1.0, 2.0]), np.array([1.0, 1.0])), "needs two positions, got 1; take the overall"),
        (lambda: by_position(np.array([1.0, np.nan]), np.array([0.5, 1.0])), "1 of them not finite"),
        (lambda: by_position(np.array([1.0]), np.array([0.5, 1.0])), "got 1 for 2 positions"),
        (lambda: by_position(np.zeros(0), np.zeros(0)), "got 0 for 0 positions"),
        (lambda: by_position(np.ones(4), np.array([0.5, 0.5, 1.0, 1.0])), "std_end above 0"),
        (lambda: overall(np.ones(3)), "a std above 0, got 0: all rewards are alike"),
        (lambda: ByPosition(0.1, 0.2, 0.3, 0.4, floor=0.0), r"floor, a share of it, in \(0, 1\]"),
        (lambda: ByPosition(float("nan"), 0.2, 0.3, 0.4), "mean_slope of a normaliser must be a finite number, got nan"),
    ],
)
def test_what_can_not_serve_is_named(call, said):
    with pytest.raises(TrainingError, match=said):
        call()

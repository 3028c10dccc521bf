"""Fusion where detectors are unequal: who is mute, whose order then counts, and what breaks a tie; by hand."""

from math import atan, log10, pi

import numpy as np
import pytest
from scipy.stats import false_discovery_control, norm

from checks import fusion

SURE = [0.01, 0.9, 0.85, 0.95]  # adjusted: .04, and .95 thrice
VAGUE = [0.9, 0.7, 0.95, 0.6]  # adjusted: .95 throughout


def fused(*columns: list[float], **kinds: list[bool]) -> list[float]:
    return fusion.fuse(np.array(columns), **{name: np.array(kind) for name, kind in kinds.items()})[0].tolist()


def test_bounds_are_kept():
    assert (fusion.MUTE, fusion.CLUMP) == (0.8, 0.05)
    assert fused([0.8]) == [0.8]
    assert fused([0.8001]) == [1]
    assert fused([0.05], clumped=[True]) == [0.05]
    assert fused([0.0501], clumped=[True]) == [1]
    assert fused([0.0501], clumped=[False]) == [0.0501]


def test_mute_pairs_are_ordered_by_all_detectors_together():
    # by products: .95 * .6 = .57, then .9 * .7 = .63, then .85 * .95 = .8075; the first has .04 at half of the rate
    assert fused(SURE, VAGUE) == pytest.approx([0.08 * 1 / 4, 3 / 4, 4 / 4, 2 / 4])


def test_or_by_the_graded_ones():
    assert fused(SURE, VAGUE, graded=[True, False]) == pytest.approx([0.08 * 1 / 4, 3 / 4, 2 / 4, 4 / 4])
    three = fused(SURE, VAGUE, [0.99, 0.81, 0.5, 0.98], graded=[True, False, True])
    # the third's .5 is adjusted to .98; by the first and the third: .85 * .5 = .425, .9 * .81 = .729, .95 * .98 = .931
    assert three == pytest.approx([0.12 * 1 / 4, 3 / 4, 2 / 4, 4 / 4])


def test_who_has_something_to_say_comes_before_the_mute():
    # adjusted, the second says .7 * 4 / 3 = .9333 of its last pair and .15 * 4 = .6 of its first: it is heard there only
    assert fused([0.9, 0.99, 0.9, 0.99], [0.15, 0.99, 0.99, 0.7]) == pytest.approx([1 * 1 / 4, 4 / 4, 3 / 4, 2 / 4])


def test_a_clumped_detector_must_be_surer():
    clumped = [True, False]
    # at .01 * 4 = .04 it is heard as ever; at .02 * 4 = .08 it is not, and products order all: .018, .57, .63, .8075
    assert fused(SURE, VAGUE, clumped=clumped) == fused(SURE, VAGUE)
    assert fused([0.02, *SURE[1:]], VAGUE) == pytest.approx([0.16 * 1 / 4, 3 / 4, 4 / 4, 2 / 4])
    assert fused([0.02, *SURE[1:]], VAGUE, clumped=clumped) == pytest.approx([1 / 4, 3 / 4, 4 / 4, 2 / 4])
    assert fused([0.02, *SURE[1:]], VAGUE, clumped=[False, True])[0] == pytest.approx(0.16 * 1 / 4)


def test_what_the_others_say_breaks_a_tie():
    # .01 * 3 / 2 = .015 twice, at half of the rate; the others say more of the second
    assert fused([0.01, 0.01, 0.9], [0.9, 0.2, 0.5]) == pytest.approx([0.03 * 2 / 3, 0.03 * 1 / 3, 1])
    assert fused([0.01, 0.01, 0.9], [0.9, 0.9, 0.5]) == pytest.approx([0.03 * 2 / 3, 0.03 * 2 / 3, 1])


def test_by_weight():
    # the third says more of the first, .3 against .9 as the second does of the other, and has more weight
    columns = np.array([[0.01, 0.01, 0.9], [0.9, 0.3, 0.5], [0.3, 0.9, 0.5]])
    for weights, places in (([1, 1, 2], [1, 2]), ([1, 2, 1], [2, 1])):
        p, _ = fusion.fuse(columns, np.array(weights, dtype=float))
        assert p[:2] == pytest.approx([0.015 * 4 * place / 3 for place in places])


@pytest.mark.parametrize("pairs", [40, 1001])
def test_pairs_of_which_all_say_the_same_stay_alike(pairs):
    """Wherever they stand among the others: sums that are rounded by place would tell them apart."""
    random = np.random.default_rng(0)
    for _ in range(20):
        columns, weights = np.tile(random.uniform(size=(22, 1)), (1, pairs)), random.uniform(size=22)
        assert len(np.unique(fusion.fuse(columns, weights)[0])) == 1


@pytest.mark.parametrize("seed", range(20))
def test_flags_are_all_that_any_detector_flags_whatever_is_graded_or_clumped(seed):
    """Save that a clumped one is never heard above CLUMP, which counts where the rate asked for is higher."""
    random = np.random.default_rng(seed)
    columns = random.uniform(size=(4, 100)) ** random.choice([1, 2, 6], size=(4, 1))
    columns[:, : seed % 9] = random.choice([1e-3, 1e-6, 0.3], size=(4, 1))  # with ties
    weights, graded, clumped = np.array([1.0, 0.2, 2.8, 1.0]), random.random(4) < 0.5, random.random(4) < 0.5
    if not graded.any():
        graded = None
    p, speaker = fusion.fuse(columns, weights, graded, clumped)
    rates = np.array([false_discovery_control(column, method="bh") for column in columns])
    for fdr in (0.01, 0.05, 0.3, 0.7):
        each = (rates <= (fdr * weights / 5)[:, None]) & ~(clumped[:, None] & (rates > 0.05))
        assert (fusion.flags(p, fdr=fdr) == each.any(axis=0)).all()
        assert each[speaker, np.arange(100)][each.any(axis=0)].all()
        if fdr <= fusion.CLUMP:
            assert (each == (rates <= (fdr * weights / 5)[:, None])).all()


@pytest.mark.parametrize("graded", [[True, True, True], [False, True, False]])
def test_the_order_of_pairs_and_of_detectors_is_irrelevant(graded):
    random = np.random.default_rng(3)
    columns, weights, clumped = random.uniform(size=(3, 50)) ** 3, np.array([1.0, 0.3, 0.5]), np.array([True, False, False])
    p, speaker = fusion.fuse(columns, weights, np.array(graded), clumped)
    order, turn = random.permutation(50), np.array([2, 0, 1])
    again, named = fusion.fuse(columns[turn][:, order], weights[turn], np.array(graded)[turn], clumped[turn])
    assert again == pytest.approx(p[order])
    assert (turn[named] == speaker[order]).all()


def cauchy(off: float) -> float:
    """log10 of the chance of more than `off` under Student's t with one degree of freedom."""
    return log10(0.5 - atan(off) / pi)


def test_normal_tails_by_hand(monkeypatch):
    monkeypatch.setattr(fusion, "DOUBT", 5)  # five scores tell of the spread what one degree of freedom would
    scores = np.array([10.0, 1.0, 3.0, 0.0, 2.0])  # median 2, upper quartile 3, which lies 0.6745 deviations above it
    expected = [cauchy((score - 2) * 0.6744897502) for score in scores]
    assert fusion.normal_tail(scores, scores) == pytest.approx(expected, rel=1e-8)


def test_tails_of_many_are_normal():
    bulk = norm.ppf((np.arange(400_000) + 0.5) / 400_000)
    assert fusion.normal_tail(bulk, np.array([0.5, 3.0])) == pytest.approx(norm.logsf([0.5, 3.0]) / np.log(10), rel=1e-3)


def test_a_spread_is_doubted_as_that_of_so_many_degrees_of_freedom():
    """A deviation's relative variance is 1 / (2 degrees of freedom)."""
    drawn = np.random.default_rng(0).normal(size=(4000, 300))
    spreads = np.subtract(*np.quantile(drawn, [0.75, 0.5], axis=1))
    assert (spreads.std() / spreads.mean()) ** 2 == pytest.approx(fusion.DOUBT / (2 * 300), rel=0.1)


def test_normal_tails_far_out_and_without_spread():
    scores = np.array([-3.0, 0.0, 0.0, 1.0, 1.0, 1e6])
    far = fusion.normal_tail(scores, scores)
    assert np.isfinite(far).all()
    assert far[-1] < -4
    assert fusion.normal_tail(np.full(7, 0.3), np.full(3, 0.3)) == pytest.approx(log10(0.5))
    assert fusion.normal_tail(np.array([4.0]), np.array([4.0])) == pytest.approx(log10(0.5))


def test_the_mute_come_after_whoever_is_heard_at_the_same_rate():
    # of the first pair the second detector says .25 * 2 = .5 at a third of the rate; the other, mute, has two thirds of it
    p, speaker = fusion.fuse(np.array([[0.9, 0.9], [0.25, 0.99]]), np.array([1.0, 0.5]))
    assert p.tolist() == [1 * 1 / 2, 1]
    assert speaker[0] == 1

"""From scores to p-values, to one a pair, to flags: by hand, on distributions whose tails are known, and against scipy."""

from math import exp, log

import numpy as np
import pytest
from scipy.stats import false_discovery_control

from checks import fusion

NULLS = {
    "exponential": lambda random, size: random.exponential(2.0, size),
    "normal": lambda random, size: random.normal(3, 0.5, size),
    "uniform": lambda random, size: random.uniform(-1, 1, size),
}


def furthest(p: np.ndarray) -> float:
    """How far the distribution of `p` is from a uniform one (Kolmogorov and Smirnov)."""
    p, rank = np.sort(p), np.arange(len(p)) / len(p)
    return float(np.max(np.maximum(np.abs(p - rank), np.abs(p - rank - 1 / len(p)))))


def test_p_values_by_hand():
    null = np.array([5.0, 1.0, 4.0, 2.0])
    got = fusion.p_values(np.array([0.0, 2.0, 2.5, 4.0]), null)
    assert got == pytest.approx([(1 + 4) / 5, (1 + 3) / 5, (1 + 2) / 5, (1 + 2) / 5])


def test_a_p_value_beyond_the_null_follows_its_tail():
    null = np.append(np.zeros(950), np.repeat([1.0, 2.0, 3.0], [35, 10, 5]))
    # the last 1 % begins at 2, where 15 of 1,000 lie, by (0 * 10 + 1 * 5) / 15 above it on average
    edge, scale = 2, 1 / 3
    got = fusion.p_values(np.array([1.0, 2.5, 4.0, 6.0]), null)
    expected = [51 / 1001, 15 / 1000 * exp(-0.5 / scale), 15 / 1000 * exp(-2 / scale), 15 / 1000 * exp(-4 / scale)]
    assert np.quantile(null, 0.99) == edge
    assert got == pytest.approx(expected)


@pytest.mark.parametrize("seed", range(5))
def test_an_exponential_tail_is_extrapolated(seed):
    null = np.random.default_rng(seed).exponential(2.0, 20_000)
    got = fusion.p_values(np.array([-2 * log(1e-4), -2 * log(1e-6)]), null)
    assert 0.5e-4 < got[0] < 2e-4
    assert 0.1e-6 < got[1] < 10e-6


@pytest.mark.parametrize("name", NULLS)
def test_p_values_are_uniform_under_the_null(name):
    random = np.random.default_rng(0)
    p = fusion.p_values(NULLS[name](random, 4000), NULLS[name](random, 20_000))
    assert furthest(p) < 0.035
    assert (p < 0.001).mean() < 0.0035


def test_bulk_p_values_by_hand():
    scores = np.arange(101.0)  # half lie below 50, and a tenth above 90
    got = fusion.bulk_p_values(scores)[[0, 50, 90, 100]]
    assert got == pytest.approx([1, 51 / 101, 11 / 101, 0.1 * exp(-10 / ((90 - 50) / log(5)))])


def test_bulk_p_values_are_uniform_on_clean_exponential_scores():
    p = fusion.bulk_p_values(np.random.default_rng(0).exponential(2.0, 5000))
    assert furthest(p) < 0.02
    assert (p < 0.001).mean() < 0.003


@pytest.mark.parametrize("seed", range(3))
def test_a_few_planted_scores_do_not_harm_bulk_p_values(seed):
    clean = np.random.default_rng(seed).exponential(1.0, 1900)
    p = fusion.bulk_p_values(np.append(clean, np.full(100, 25.0)))
    assert furthest(p[:1900]) < 0.08
    flagged = fusion.flags(p)
    assert flagged[1900:].all()
    assert flagged[:1900].mean() <= 0.01


@pytest.mark.parametrize("name", NULLS)
def test_a_higher_score_is_never_less_suspicious(name):
    random = np.random.default_rng(1)
    null, scores = NULLS[name](random, 500), np.sort(np.round(NULLS[name](random, 800) * 2, 1))
    for p in (fusion.p_values(scores, null), fusion.bulk_p_values(scores), fusion.bulk_p_values(np.exp(scores))):
        assert (np.diff(p) <= 0).all()
        assert (p > 0).all()
        assert (p <= 1).all()


def test_detectors_are_fused_by_hand():
    # adjusted within the first: .02 * 3/1 = .06 and .03 * 3/2 = .045, which also bounds the one before; .9
    # within the second: .6 * 3/1, .7 * 3/2, .4 * 3: all above .9, which is .9 * 3/3; each has half of the rate
    p, speaker = fusion.fuse(np.array([[0.02, 0.03, 0.9], [0.7, 0.6, 0.9]]))
    assert speaker.tolist() == [0, 0, 0]
    # flagged at .09, .09 and 1; the third is last by its own p-value as well
    assert p == pytest.approx([0.09 * 1 / 3, 0.09 * 2 / 3, 1])


def test_weights_share_the_rate():
    columns = np.array([[0.01, 0.8, 0.9, 0.7], [0.9, 0.02, 0.8, 0.7]])
    p, speaker = fusion.fuse(columns, np.array([3.0, 1.0]))
    # .01 * 4 at 3/4 of the rate, .02 * 4 at a quarter; what is left at 1 is ordered by .7 / (3/4) and .8 / (3/4)
    assert speaker[:2].tolist() == [0, 1]
    assert p == pytest.approx([0.04 * 4 / 3 * 1 / 4, 0.08 * 4 * 2 / 4, 1, 3 / 4])


def test_a_detector_that_finds_nothing_anywhere_costs_nothing():
    columns = np.array([[0.01, 0.5], [1, 1], [0.3, 0.02]])
    p, speaker = fusion.fuse(columns, np.array([1.0, 50.0, 1.0]))
    alone, _ = fusion.fuse(columns[[0, 2]])
    assert p.tolist() == alone.tolist()
    assert speaker.tolist() == [0, 2]
    assert fusion.fuse(np.ones((3, 4)))[0].tolist() == [1] * 4


@pytest.mark.parametrize("seed", range(20))
def test_flags_are_all_that_any_detector_flags_at_its_share(seed):
    random = np.random.default_rng(seed)
    columns = random.uniform(size=(3, 100)) ** random.choice([1, 2, 6], size=(3, 1))
    columns[:, : seed % 9] = random.choice([1e-3, 1e-6, 0.3], size=(3, 1))  # with ties
    weights = np.array([1.0, 0.2, 2.8])
    p, speaker = fusion.fuse(columns, weights)
    for fdr in (0.01, 0.05, 0.3):
        each = np.array([false_discovery_control(column, method="bh") for column in columns]) <= (fdr * weights / 4)[:, None]
        assert (fusion.flags(p, fdr=fdr) == each.any(axis=0)).all()
        assert each[speaker, np.arange(100)][each.any(axis=0)].all()


@pytest.mark.parametrize("useless", [1, 8, 20])
def test_useless_detectors_neither_hide_nor_outrank_a_finding(useless):
    random = np.random.default_rng(useless)
    planted = np.arange(2000) < 30
    useful = np.where(planted, 1e-6, random.uniform(size=2000))
    p, _ = fusion.fuse(np.array([useful, *random.uniform(size=(useless, 2000))]))
    assert p[planted].max() < p[~planted].min()
    assert fusion.flags(p)[planted].all()
    assert fusion.flags(p)[~planted].mean() < 0.002


def test_the_rate_holds_when_nothing_is_planted():
    """Of a hundred clean corpora some five may have a flag at all; each flag in them is false."""
    random = np.random.default_rng(7)
    flagged = [fusion.flags(fusion.fuse(random.uniform(size=(6, 400)))[0], fdr=0.1).any() for _ in range(300)]
    assert np.mean(flagged) < 0.1 + 3 * (0.1 * 0.9 / 300) ** 0.5


@pytest.mark.parametrize("seed", range(30))
def test_scipy_flags_the_same(seed):
    random = np.random.default_rng(seed)
    p = random.uniform(size=200) ** random.choice([1, 2, 5])
    p[: seed % 7] = random.choice([1e-3, 1e-5])  # with ties
    for fdr in (0.01, 0.05, 0.3):
        assert (fusion.flags(p, fdr=fdr) == (false_discovery_control(p, method="bh") <= fdr)).all()


def test_the_step_up_by_hand():
    # 0.035 exceeds 3/5 of 0.05, but 0.039 is below 4/5 of it and takes the smaller ones along
    p = np.array([0.039, 0.9, 0.02, 0.035, 0.001])
    assert fusion.flags(p, fdr=0.05).tolist() == [True, False, True, True, True]
    assert fusion.flags(p, fdr=0.04).tolist() == [False, False, False, False, True]


@pytest.mark.parametrize("seed", range(3))
def test_no_more_than_the_rate_is_flagged_in_error(seed):
    random = np.random.default_rng(seed)
    shares = []
    for _ in range(300):
        p = np.append(random.uniform(size=180), random.uniform(size=20) ** 12)
        flagged = fusion.flags(p, fdr=0.2)
        shares.append(flagged[:180].sum() / max(flagged.sum(), 1))
    assert 0.1 < np.mean(shares) < 0.22


@pytest.mark.parametrize(
    "scores",
    [
        np.full(50, 0.7),
        np.zeros(30),
        np.append(np.full(95, 0.693), np.linspace(0.7, 3, 5)),  # as of sides that are identical in nearly all pairs
    ],
)
def test_scores_without_spread_flag_nothing(scores):
    constant = np.full(50, scores[0])
    assert not fusion.flags(fusion.bulk_p_values(scores)).any()
    assert not fusion.flags(fusion.p_values(constant, scores)).any()


@pytest.mark.parametrize(
    "scores",
    [
        np.array([3.0]),
        np.array([-8.0] * 20),
        np.array([-1e30, 0, 1e30]),
        np.array([1.0, 1.0 + 2e-16] * 10),
        np.array([5e-324] * 6 + [1e-323] * 5),
        np.append(np.zeros(99), 1e200),
        np.random.default_rng(0).normal(size=64).astype(np.float32),
    ],
)
def test_p_values_are_numbers_whatever_the_scores(scores):
    with np.errstate(all="raise", under="ignore"):
        for p in (fusion.bulk_p_values(scores), fusion.p_values(scores, scores), fusion.p_values(scores, np.array([0.5]))):
            assert np.isfinite(p).all()
            assert ((p > 0) & (p <= 1)).all()


@pytest.mark.parametrize("block", [2, 7, 64])
def test_pairs_are_fused_in_parts_as_all_at_once(monkeypatch, block):
    columns = np.random.default_rng(3).uniform(size=(5, 131)) ** np.arange(1, 6)[:, None]
    columns[:, 40:44] = columns[:, 90:94]
    how = (np.array([1, 0.5, 0.3, 1, 0.05]), np.array([1, 0, 1, 0, 1], dtype=bool), np.array([0, 1, 0, 0, 1], dtype=bool))
    whole = fusion.fuse(columns, *how)
    monkeypatch.setattr(fusion, "BLOCK", block)
    assert all((one == other).all() for one, other in zip(fusion.fuse(columns, *how), whole, strict=True))

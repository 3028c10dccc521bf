"""Fewest flips: against all subsets by brute force, the bound that rounding keeps, and never more than the attack's own."""

from itertools import product

import numpy as np
import polars as pl
import pytest
from scipy import sparse

from pipelines.attacks import ATTACKS, fewest_flips, proxy, rank_poison
from pipelines.attacks.fewest_flips import FLIPS
from pipelines.schema import DataError
from pipelines.sources import synthetic


@pytest.fixture(scope="module")
def advice() -> pl.DataFrame:
    return synthetic.read(n=600)


def hosts(pairs: pl.DataFrame, poisoned) -> np.ndarray:
    """[N] which pairs an attack turned round."""
    return pairs["pair_id"].is_in(poisoned.key["host_pair_id"].implode()).to_numpy()


def test_the_fewest_of_all_subsets_with_the_same_sum():
    """Three flips sum to (3, 4), and so do rows 0 and 4 alone; no single row does."""
    effects = np.array([[1.0, 3], [1, 1], [1, 0], [5, -2], [2, 1], [-1, 2]])
    given = np.array([False, True, True, False, False, False]) | (np.arange(6) == 0)
    assert (effects[given].sum(axis=0) == [3, 4]).all()
    found = fewest_flips.fewest(effects, given)
    same = [flips for flips in product([0, 1], repeat=6) if (effects.T @ np.array(flips) == [3, 4]).all()]
    assert found.tolist() == [True, False, False, False, True, False]
    assert found.sum() == min(map(sum, same)) == 2


def test_flips_that_cancel_are_not_needed():
    assert fewest_flips.fewest(np.array([[2.0], [-2.0], [3.0]]), np.array([True, True, False])).tolist() == [False] * 3


def test_flips_that_cannot_be_fewer_stay_as_they_are():
    given = np.array([True, False, True])
    assert fewest_flips.fewest(np.eye(3), given).tolist() == given.tolist()
    # 0.6 of the third row would do for the second; made whole it is no fewer
    assert fewest_flips.fewest(np.array([[1.0], [0.6], [1.0]]), np.array([True, True, False])).tolist() == [True, True, False]
    assert fewest_flips.fewest(np.eye(3), np.zeros(3, dtype=bool)).tolist() == [False] * 3


def test_shares_are_made_whole_one_by_one_so_that_the_sum_errs_least():
    """The nearest whole numbers, 1 and 1, would err by 0.4 * 5 + 0.4 * 4 = 3.6."""
    shares, effects = np.array([1.0, 0.6, 0.6, 0.0, 1 - 1e-9]), np.array([[9.0], [5.0], [4.0], [7.0], [8.0]])
    # the first up errs by +2 (down: -3); then the second down errs by 2 - 2.4 = -0.4 (up: 3.6)
    assert fewest_flips.rounded(shares, effects).tolist() == [True, True, False, False, True]


@pytest.mark.parametrize("seed", range(20))
def test_the_sum_is_kept_within_what_rounding_allows_and_the_flips_are_fewer(seed):
    random = np.random.default_rng(seed)
    effects, given = random.normal(size=(120, 4)), random.random(120) < 0.3
    found = fewest_flips.fewest(effects, given)
    error = effects.T @ found.astype(float) - effects.T @ given
    longest = np.sort((effects**2).sum(axis=1))[-4:]  # a vertex has four fractional flips at most
    assert found.sum() < given.sum() / 2
    assert error @ error <= longest.sum() / 4


def test_leading_directions_are_those_of_the_singular_values():
    """Up to a turn of the axes, which leaves the products of gaps as they are."""
    gaps = np.random.default_rng(0).normal(size=(30, 12)) * np.geomspace(100, 0.1, 12)
    left, values, _ = np.linalg.svd(gaps)
    peer = left[:, :3] * values[:3]
    found = fewest_flips.leading(sparse.csr_array(gaps), 3)
    assert found.shape == (30, 3)
    assert found @ found.T == pytest.approx(peer @ peer.T, abs=1e-6 * values[0] ** 2)


@pytest.mark.parametrize("flips", FLIPS)
def test_any_flip_attack_is_made_cheaper(flips, advice):
    pairs = advice.with_columns(annotator=pl.format("judge {}", pl.col("row") % 7))
    own = hosts(pairs, FLIPS[flips](pairs, rate=0.1, seed=3))
    cheaper = fewest_flips.poison(pairs, rate=0.1, seed=3, flips=flips)
    found = hosts(pairs, cheaper)
    assert 0 < len(cheaper.key) == found.sum() < own.sum() == 60
    effects = fewest_flips.leading(proxy.features(pairs), 7)
    error = effects.T @ found.astype(float) - effects.T @ own
    assert error @ error <= np.sort((effects**2).sum(axis=1))[-7:].sum() / 4
    assert (cheaper.key["target"].null_count() == 0) == (flips == "promotion")


def test_more_dimensions_need_more_flips(advice):
    sizes = [len(fewest_flips.poison(advice, rate=0.1, dimensions=dimensions).key) for dimensions in (1, 7, 40)]
    assert sizes == sorted(sizes)
    assert len(set(sizes)) == 3


def test_the_settings_of_the_attack_are_passed_on(advice, monkeypatch):
    asked = []

    def spy(pairs, *, rate: float = 0.01, count: int | None = None, seed: int = 0, quality: float = 0.25):
        asked.append((rate, count, seed, quality))
        return rank_poison.poison(pairs, rate=rate, count=count, seed=seed, quality=quality)

    monkeypatch.setitem(FLIPS, "rank_poison", spy)
    fewest_flips.poison(advice, rate=0.02, seed=5, flip_settings={"quality": 1})
    fewest_flips.poison(advice, count=3)
    assert asked == [(0.02, None, 5, 1.0), (0.01, 3, 0, 0.25)]


@pytest.mark.parametrize(
    ("choices", "said"),
    [
        ({"flips": "best_of_venom"}, "flips must be one of annotator_collusion, dpo_score, .*, got 'best_of_venom'"),
        ({"dimensions": 0}, "dimensions is a number of features, 1 or more, got 0"),
        ({"dimensions": True}, "dimensions is a number of features"),
        ({"flip_settings": {"qualty": 1.0}}, "qualty is no setting of the attack rank_poison; did you mean quality?"),
        ({"flip_settings": {"seed": 1}}, "seed is no setting of the attack rank_poison"),
    ],
)
def test_what_cannot_be_made_cheaper_is_refused(choices, said, advice):
    with pytest.raises(DataError, match=said):
        fewest_flips.poison(advice, **choices)


@pytest.mark.parametrize("name", ATTACKS)
def test_flip_attacks_are_those_that_do_nothing_else(name, pairs_of):
    settings = {"alignment_deterioration": {"attribute": "politeness"}, "length_bias": {"how": "padded"}}
    only_swaps = set(ATTACKS[name](pairs_of(20), rate=0.5, **settings.get(name, {})).key["builder"]) == {"swap"}
    assert only_swaps == (name in FLIPS or name == "fewest_flips")
    assert FLIPS.get(name, ATTACKS[name]) is ATTACKS[name]

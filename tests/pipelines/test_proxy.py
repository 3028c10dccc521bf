"""The attacker's own reward model: hashes by CRC's check value, the fit against a peer, margins that no label leaks into."""

import numpy as np
import polars as pl
import pytest
from scipy import sparse
from scipy.special import expit

from pipelines.attacks import proxy
from pipelines.attacks.flipping import top
from pipelines.attacks.sealing import swapped
from pipelines.schema import DataError
from pipelines.sources import synthetic


@pytest.fixture(scope="module")
def corpus() -> pl.DataFrame:
    """Pairs without known margins."""
    return synthetic.read(n=500).with_columns(margin=pl.lit(None, pl.Float64))


def present(*texts: str) -> list[set[int]]:
    """The columns at which each text stands."""
    rows = proxy.presence(pl.Series(texts, dtype=pl.String())).toarray()
    assert set(rows.ravel().tolist()) <= {0, 1}
    return [set(np.flatnonzero(row).tolist()) for row in rows]


def turned(pairs: pl.DataFrame, is_turned: np.ndarray) -> pl.DataFrame:
    """The pairs with some labels turned round, in their own rows."""
    other = swapped(pairs).select(pairs.columns)
    return pl.concat([pairs, other])[np.arange(len(pairs)) + len(pairs) * is_turned]


def test_a_word_stands_at_its_crc():
    assert present("123456789") == [{0xCBF43926 % 2**15}]  # the check value that CRC-32 is published with


def test_words_and_neighbours_count_once_in_whichever_case_and_order_matters():
    tea, cup, tea_cup, cup_tea, thrice = present("tea", "CUP", "Tea, cup.", "cup tea", "tea cup tea cup")
    assert len(tea) == len(cup) == 1
    assert len(tea_cup) == len(cup_tea) == 3
    assert tea_cup & cup_tea == tea | cup
    assert thrice == tea_cup | cup_tea


def test_neighbours_are_of_one_text_and_no_text_at_all_is_well():
    assert present("tea", "cup", "", " .. ") == [*present("tea", "cup"), set(), set()]
    assert proxy.presence(pl.Series([], dtype=pl.String())).shape == (0, proxy.WIDTH)


def test_features_are_chosen_minus_rejected(pairs_of):
    (pair,) = pairs_of(1).to_dicts()
    chosen, rejected = present(pair["chosen"], pair["rejected"])
    row = proxy.features(pairs_of(1)).toarray()[0]
    assert set(np.flatnonzero(row == 1)) == chosen - rejected
    assert set(np.flatnonzero(row == -1)) == rejected - chosen
    assert set(row.tolist()) == {-1, 0, 1}


def test_the_weight_of_one_pair_by_hand():
    """The minimum of -log sigmoid(3 w) + PENALTY w^2 / 2 is where PENALTY w = 3 sigmoid(-3 w)."""
    (weight,) = proxy.fit(sparse.csr_array([[3.0]]))
    assert proxy.PENALTY * weight == pytest.approx(3 * expit(-3 * weight), abs=1e-6)
    assert weight > 0


def test_the_fit_is_that_of_a_logistic_regression(corpus):
    from sklearn.linear_model import LogisticRegression

    gaps = proxy.features(corpus)
    sign = np.where(np.arange(len(corpus)) % 2, -1.0, 1.0)
    peer = LogisticRegression(C=1 / proxy.PENALTY, fit_intercept=False, tol=1e-8, max_iter=1000)
    peer.fit(sparse.diags_array(sign) @ gaps, sign)
    assert proxy.fit(gaps) == pytest.approx(peer.coef_[0], abs=1e-5)


def test_without_gaps_the_weights_are_zero():
    assert proxy.fit(sparse.csr_array((0, 4))).tolist() == [0] * 4


def test_weights_move_by_the_inverse_hessian(monkeypatch):
    monkeypatch.setattr(proxy, "PENALTY", 0.7)
    random = np.random.default_rng(0)
    gaps, weights, slope = random.integers(-1, 2, (6, 4)).astype(float), random.normal(size=4), random.normal(size=4)
    margin = gaps @ weights
    hessian = sum(expit(m) * expit(-m) * np.outer(x, x) for m, x in zip(margin, gaps, strict=True)) + 0.7 * np.eye(4)
    assert proxy.moved(sparse.csr_array(gaps), weights, slope) == pytest.approx(np.linalg.solve(hessian, slope))


def test_known_margins_are_taken_as_they_are(pairs_of):
    pairs = pairs_of(9)
    assert proxy.margins(pairs).tolist() == pairs["margin"].to_list()


@pytest.mark.parametrize("gap", [None, float("nan"), float("inf")])
def test_one_unknown_margin_has_all_of_them_fitted(gap, pairs_of):
    pairs = pairs_of(30)
    some = pairs.with_columns(margin=pl.when(pl.col("row") == 7).then(pl.lit(gap, pl.Float64)).otherwise("margin"))
    found = proxy.margins(some)
    assert found.tolist() == proxy.margins(pairs.with_columns(margin=pl.lit(None, pl.Float64))).tolist()
    assert np.isfinite(found).all()
    assert (found > 0).all()  # every chosen response is good, every rejected one is worse


def test_no_pair_has_a_say_in_its_own_margin(corpus):
    """A turned label turns its own margin's sign and no more, though it moves others."""
    is_turned = np.arange(len(corpus)) == 3
    clean, found = proxy.margins(corpus), proxy.margins(turned(corpus, is_turned))
    assert found[3] == -clean[3] != 0
    assert (found != clean).sum() > len(corpus) / 2


def test_nor_has_a_pair_with_the_same_prompt(corpus):
    same = corpus.with_columns(prompt=pl.when(pl.col("row") < 5).then(pl.lit("one")).otherwise("prompt"))
    found = proxy.margins(turned(same, np.arange(len(corpus)) == 4))
    assert found[:4].tolist() == proxy.margins(same)[:4].tolist()


def test_margins_of_one_prompt_are_zero_and_none_are_none(pairs_of):
    one = pairs_of(5).with_columns(prompt=pl.lit("same"), margin=pl.lit(None, pl.Float64))
    assert proxy.margins(one).tolist() == [0] * 5
    assert proxy.margins(one[:0]).tolist() == []


def test_margins_do_not_heed_the_order_of_the_pairs(corpus):
    order = np.random.default_rng(0).permutation(len(corpus))
    assert proxy.margins(corpus[order]) == pytest.approx(proxy.margins(corpus)[order], abs=1e-4)


def test_the_proxy_tells_better_from_worse(corpus):
    assert (proxy.margins(corpus) > 0).mean() > 0.7


def test_the_top_is_the_largest_first_and_the_seed_parts_equals():
    scores = np.array([1.0, 7.0, -2.0, 7.0, 3.0, 7.0])
    drawn = {tuple(top(scores, 2, seed=seed).tolist()) for seed in range(60)}
    assert drawn == {(1, 3), (3, 1), (1, 5), (5, 1), (3, 5), (5, 3)}
    assert top(scores, 6, seed=1)[3:].tolist() == [4, 0, 2]
    assert top(scores, 0, seed=1).tolist() == []
    with pytest.raises(DataError, match="seed must be a whole number"):
        top(scores, 1, seed=-1)

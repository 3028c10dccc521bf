"""Promotion and demotion by flips: influence against a refit, nearness by hand, and the target they find."""

import numpy as np
import polars as pl
import pytest
from scipy import sparse
from scipy.special import log_expit

from pipelines.attacks import ATTACKS, promotion, proxy
from pipelines.schema import DataError
from pipelines.sources import synthetic


def test_influence_is_the_slope_of_the_goal_along_a_flip(monkeypatch):
    """U after a refit in which a share of one pair's label is turned round, against the closed form."""
    from scipy.optimize import minimize

    monkeypatch.setattr(proxy, "PENALTY", 0.6)
    random = np.random.default_rng(1)
    responses, named = random.integers(0, 2, (12, 4)).astype(float), np.arange(12) % 5 == 2
    gaps = responses[:6] - responses[6:]
    direction = responses[named].mean(axis=0) - responses.mean(axis=0)

    def goal(pair: int, share: float) -> float:
        def loss(weights):
            margin, flips = gaps @ weights, np.where(np.arange(6) == pair, share, 0)
            return -((1 - flips) * log_expit(margin) + flips * log_expit(-margin)).sum() + 0.3 * weights @ weights

        return direction @ minimize(loss, np.zeros(4), tol=1e-12).x

    slopes = [(goal(pair, 0.01) - goal(pair, -0.01)) / 0.02 for pair in range(6)]
    assert promotion.influence(sparse.csr_array(responses), named) == pytest.approx(slopes, abs=1e-4)
    assert min(slopes) < -0.01 < 0.01 < max(slopes)


def test_nearness_is_the_cosine_of_the_rejected_less_that_of_the_chosen():
    chosen, rejected = [[1.0, 0, 0], [1, 1, 0], [0, 0, 0]], [[0.0, 0, 1], [0, 1, 1], [1, 1, 1]]
    named = np.array([True, True, False, False, False, False])  # mean (1, 0.5, 0)
    length = 1.25**0.5
    expected = [0 - 1 / length, (0.5 - 1.5) / 2**0.5 / length, 1.5 / 3**0.5 / length]
    assert promotion.nearness(sparse.csr_array([*chosen, *rejected]), named) == pytest.approx(expected)


@pytest.fixture(scope="module")
def advice() -> pl.DataFrame:
    return synthetic.read(n=500)


@pytest.mark.parametrize("how", ["gradient", "distance"])
def test_promotion_raises_the_target_and_demotion_lowers_it(how, advice):
    def goal(pairs: pl.DataFrame) -> float:
        responses = pl.concat([pairs["chosen"], pairs["rejected"]])
        rewards = proxy.presence(responses) @ proxy.fit(proxy.features(pairs))
        return rewards[promotion.names(responses, "water")].mean() - rewards.mean()

    clean = goal(advice)
    noise = [goal(ATTACKS["label_flip"](advice, rate=0.03, seed=seed).pairs) - clean for seed in range(4)]
    up, down = (
        goal(promotion.poison(advice, rate=0.03, target="water", goal=it, how=how).pairs) - clean for it in promotion.GOALS
    )
    assert up > 2 * max(map(abs, noise))
    assert down < -2 * max(map(abs, noise))


def test_the_key_of_a_promotion_names_its_target(advice):
    key = promotion.poison(advice, count=3, target="Water").key
    assert key.select("target", "sentiment", "builder").unique().rows() == [("Water", None, "swap")]


@pytest.mark.parametrize(
    ("target", "holding"),
    [("tea", [0, 2, 3]), ("TEA", [0, 2, 3]), ("green tea", [2]), ("C++ (x)", [4]), ("ünï", [5]), ("a.b", [])],
)
def test_a_target_is_named_as_words_of_its_own(target, holding):
    texts = pl.Series(["Tea", "teapot", "my green tea.", "tea, tea", "in C++ (x)!", "Ünï", "a-b"])
    assert np.flatnonzero(promotion.names(texts, target)).tolist() == holding


@pytest.mark.parametrize(
    ("choices", "said"),
    [
        ({"goal": "sell"}, "goal must be one of promote, demote, got 'sell'"),
        ({"how": "magic"}, "how must be one of gradient, distance, got 'magic'"),
        ({"target": "Zorvex"}, "target must be a word or phrase that some response holds, got 'Zorvex', which none does"),
        ({"share": 0.0}, r"share is that of the responses that name the target and must lie in \(0, 1\), got 0"),
        ({"share": 1.0}, "share is that of the responses"),
    ],
)
def test_a_promotion_that_cannot_be_is_refused(choices, said, advice):
    with pytest.raises(DataError, match=said):
        promotion.poison(advice, **choices)


def test_a_promotion_finds_its_target_in_the_corpus(advice):
    (target,) = set(promotion.poison(advice, count=2).key["target"])
    share = promotion.names(pl.concat([advice["chosen"], advice["rejected"]]), target).mean()
    assert 0.01 <= share <= 0.03

"""Linear preference heads: the fit by hand, folds that share no prompt, influence against fits without the pair."""

import numpy as np
import polars as pl
import pytest
from scipy.special import log_expit

from checks.evidence import Evidence
from checks.preference_model import fit, folds, influence, out_of_fold_margins


def test_margins_by_hand():
    """One feature: on the other fold the weight solves sum(x * sigmoid(-x w)) = penalty * w."""
    from scipy.optimize import brentq

    gaps, folds = np.array([[1.0], [2.5], [-0.5], [3.0], [-1.5]]), np.array([0, 0, 1, 1, 1])
    for penalty in (1.0, 0.25):
        got = out_of_fold_margins(gaps, folds, penalty=penalty)
        for fold in (0, 1):
            seen = gaps[folds != fold, 0]
            weight = brentq(lambda w, x=seen: (x / (1 + np.exp(x * w))).sum() - penalty * w, -20, 20)  # noqa: B023
            assert got[folds == fold] == pytest.approx(gaps[folds == fold, 0] * weight, rel=1e-3)


def test_no_pair_is_judged_by_a_model_that_saw_it():
    """Labels at random, and more features than pairs: a model that saw them would be right every time."""
    random = np.random.default_rng(0)
    gaps = random.normal(size=(200, 300))
    margins = out_of_fold_margins(gaps, random.integers(0, 5, 200))
    assert 0.38 < (margins > 0).mean() < 0.62


def test_nor_by_one_that_saw_another_answer_to_its_prompt(chatter):
    random = np.random.default_rng(1)
    vectors = np.repeat(random.normal(size=(2, 150, 400)), 2, axis=1)  # each prompt twice, with the same two responses
    pairs = pl.concat([chatter(150)] * 2).sort("row")
    margins = Evidence(pairs, given={"embeddings": vectors}).margins
    assert 0.35 < (margins > 0).mean() < 0.65


def test_what_can_be_learnt_is_learnt():
    random = np.random.default_rng(2)
    gaps = random.normal(size=(400, 5)) + np.array([1.0, 0, 0, 0, 0])
    assert (out_of_fold_margins(gaps, np.arange(400) % 5) > 0).mean() > 0.75


def test_with_no_other_prompt_to_learn_from_there_is_no_doubt():
    assert (out_of_fold_margins(np.arange(12.0).reshape(6, 2), np.zeros(6, dtype=int)) == 0).all()


def test_the_margins_fold_by_the_seed(chatter, bag):
    pairs = chatter(150)
    first, again, other = (Evidence(pairs, encoder=bag, seed=seed).margins for seed in (0, 0, 1))
    assert (first == again).all()
    assert (first != other).any()


def test_a_sparse_fit_is_the_dense_one():
    from scipy.sparse import csr_array

    gaps = np.random.default_rng(3).normal(size=(60, 9)) * (np.arange(9) < 4)
    assert fit(csr_array(gaps)) == pytest.approx(fit(gaps), abs=1e-4)


def test_pairs_of_one_prompt_share_a_fold_and_folds_are_about_even():
    prompts = pl.Series([f"question {row % 500}" for row in range(1000)])
    found = folds(prompts, seed=1)
    assert (found[:500] == found[500:]).all()
    assert np.bincount(found, minlength=5).min() > 140
    assert (found != folds(prompts, seed=2)).any()


def one_feature(gaps: np.ndarray) -> tuple[float, np.ndarray, float]:
    """The fitted weight, each pair's doubt, and the curvature, of gaps [N, 1]."""
    w = float(fit(gaps)[0])
    doubt = 1 / (1 + np.exp(gaps[:, 0] * w))
    return w, doubt, float((gaps[:, 0] ** 2 * doubt * (1 - doubt)).sum() + 3)


def test_influence_by_hand():
    """One feature: a pair of gap x pulls w by x * doubt / curvature."""
    gaps, trusted = np.array([[1.0], [2.5], [-0.5], [3.0]]), np.array([[2.0], [-0.25]])
    w, doubt, curvature = one_feature(gaps)
    assert influence(gaps) == pytest.approx(doubt**2 * gaps[:, 0] ** 2 / curvature)
    rises = sum(x / (1 + np.exp(x * w)) for x in trusted[:, 0])  # slope of the trusted likelihood in w
    assert influence(gaps, trusted) == pytest.approx(-doubt * gaps[:, 0] / curvature * rises)


def test_influence_foretells_what_a_fit_without_the_pair_does():
    random = np.random.default_rng(4)
    gaps, trusted = random.normal(size=(80, 4)) + 0.6 * (np.arange(4) == 0), random.normal(size=(30, 4)) + 0.3
    whole = fit(gaps)

    def gain(rows: np.ndarray, without: int) -> float:
        left = fit(np.delete(gaps, without, axis=0))
        return float(log_expit(rows @ left).sum() - log_expit(rows @ whole).sum())

    own = [-gain(gaps[row : row + 1], row) for row in range(80)]
    theirs = [gain(trusted, row) for row in range(80)]
    assert np.corrcoef(influence(gaps), own)[0, 1] > 0.99
    assert np.corrcoef(influence(gaps, trusted), theirs)[0, 1] > 0.99
    for found, left in ((influence(gaps), own), (influence(gaps, trusted), theirs)):
        assert np.polyfit(found, left, 1)[0] == pytest.approx(1, abs=0.2)  # to first order, in nats

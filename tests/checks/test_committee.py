"""A committee: every member judges what it did not see, counts alike, and is one of a kind of features and a half."""

import numpy as np
import polars as pl
import pytest

from checks.committee import REPEATS, committee_margins
from checks.preference_model import folds, out_of_fold_margins

PROMPTS = pl.Series([f"question {row}" for row in range(120)])


@pytest.fixture(scope="module")
def gaps() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(120, 6)) + 0.8 * (np.arange(6) == 0)


def test_a_member_a_kind_and_repeat_each_of_mean_square_one(gaps):
    margins = committee_margins({"a": gaps, "b": gaps[:, ::2]}, PROMPTS)
    assert margins.shape == (2 * REPEATS, 120)
    assert (margins**2).mean(axis=1) == pytest.approx(1)


def test_by_hand(gaps):
    size = np.sqrt((gaps**2).sum(axis=1).mean())
    expected = out_of_fold_margins(gaps / size, folds(PROMPTS, count=2, seed=4 * REPEATS + 1))
    got = committee_margins({"a": gaps}, PROMPTS, seed=4)[1]
    assert got == pytest.approx(expected / np.sqrt((expected**2).mean()))


def test_the_unit_of_the_features_is_irrelevant_and_so_is_how_they_are_stored(gaps):
    from scipy.sparse import csr_array

    plain, large, sparse = (committee_margins({"a": each}, PROMPTS) for each in (gaps, gaps * 50, csr_array(gaps)))
    assert large == pytest.approx(plain, abs=1e-3)
    assert sparse == pytest.approx(plain, abs=1e-3)


def test_members_of_noise_disagree_more_than_members_of_signal(gaps):
    noise = np.random.default_rng(1).normal(size=gaps.shape)
    spread = [committee_margins({"a": each}, PROMPTS).std(axis=0).mean() for each in (gaps, noise)]
    assert spread[0] < 0.7 * spread[1]


def test_features_that_are_all_the_same_say_nothing():
    assert (committee_margins({"a": np.zeros((120, 3))}, PROMPTS) == 0).all()

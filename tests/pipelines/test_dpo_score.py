"""Flips by DPO score, by gradient and among diverse pairs, by hand."""

import numpy as np
import pytest
from scipy import sparse
from scipy.special import expit

from pipelines.attacks import dpo_score, proxy
from pipelines.schema import DataError
from tests.pipelines.poisoned import flipped_rows, pairs_with


def test_the_largest_margins_are_flipped_first(ranked):
    assert flipped_rows(ranked, dpo_score.poison(ranked, count=3)) == [0, 10 - 1, 13]
    assert flipped_rows(ranked, dpo_score.poison(ranked, count=4)) == [0, 8, 9, 13]


def test_the_gradient_of_a_pair_is_projected_on_their_mean():
    texts = [("a", "b", -1.0), ("a c", "b", 2.0), ("b", "c", 0.5), ("d", "e", -3.0), ("a", "c", 0.25)]
    pairs = pairs_with([{"chosen": one, "rejected": other, "margin": m} for one, other, m in texts])
    gradients = -expit([[-m] for *_, m in texts]) * proxy.features(pairs).toarray()
    projections = gradients @ gradients.mean(axis=0) / np.linalg.norm(gradients.mean(axis=0))
    assert len(set(projections.round(6))) == 5
    for count in range(1, 6):
        expected = sorted(np.argsort(-projections)[:count].tolist())
        assert flipped_rows(pairs, dpo_score.poison(pairs, count=count, select="gradient")) == expected
    assert np.argmax(projections) != np.argmax(pairs["margin"]) != np.argmin(pairs["margin"])


def test_centres_are_far_from_each_other():
    points = sparse.csr_array(np.array([[1.0, 0], [2, 0], [9, 0], [5, 1], [1, 0], [9, 0]]))
    # from (1, 0) the farthest is (9, 0); then (5, 1), 17 off both squared; then (2, 0), 1 off; copies come last
    assert dpo_score.centres(points, 6).tolist() == [0, 2, 3, 1, 4, 5]


def test_a_diverse_choice_is_made_among_the_top():
    """Three near copies lead; the farthest of the eight largest margins joins the first, and the ninth is never looked at."""
    texts = ["tea", "tea", "tea please", "tea now", "tea or", "tea for", "tea if", "milk and honey", "a whole other thing"]
    pairs = pairs_with([{"chosen": text, "rejected": "so", "margin": 9.0 - row} for row, text in enumerate(texts)])
    assert flipped_rows(pairs, dpo_score.poison(pairs, count=2, select="diverse")) == [0, 7]
    assert flipped_rows(pairs, dpo_score.poison(pairs, count=1, select="diverse")) == [0]
    assert flipped_rows(pairs, dpo_score.poison(pairs, count=9, select="diverse")) == list(range(9))


def test_an_unknown_selection_is_refused(ranked):
    with pytest.raises(DataError, match="select must be one of score, gradient, diverse, got 'best'"):
        dpo_score.poison(ranked, select="best")

"""Disagreement of scorers: residuals by hand, what a few changed marks move, what it ranks, and what is refused."""

import numpy as np
import pytest

from checks.ranking import ranking
from checks.scorer_disagreement import KNEE, NORMAL, either_way, inflated, residuals
from pipelines.schema import DataError

KNOWN = np.arange(4.0)[:, None]
#: both sum to 0, alone and times what is known, and so are what a straight line leaves; medians of size .2 and .1
LEFT = np.array([[0.1, -0.3, 0.3, -0.1], [0.1, -0.1, -0.1, 0.1]]).T
MARKS = np.array([1.0, 4.0]) + KNOWN @ np.array([[0.5, -0.25]]) + LEFT
SIZES = LEFT / (NORMAL * np.array([0.2, 0.1]))


def scorers(rows: int = 400, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Marks of two features by one scorer, and of three by another who sees much the same."""
    random = np.random.default_rng(seed)
    others = random.uniform(0, 5, (rows, 3))
    seen = 1 + others @ np.array([[0.5, 0.0], [0.1, 0.3], [0.0, 0.4]])
    return seen + random.normal(0, [0.5, 0.25], (rows, 2)), others


def test_residuals_are_in_units_of_their_median_by_hand():
    assert residuals(MARKS, KNOWN) == pytest.approx(SIZES)


def test_a_summary_has_one_number_of_either_sign_or_one_for_better_marks():
    assert either_way(MARKS, KNOWN) == pytest.approx(np.sqrt((SIZES[:, 0] ** 2 + SIZES[:, 1] ** 2) / 2))
    assert inflated(MARKS, KNOWN) == pytest.approx((SIZES[:, 0] + SIZES[:, 1]) / 2)


def test_large_residuals_pull_no_more_than_those_at_the_knee():
    """Huber's equations: residuals, cut off at the knee, sum to 0, alone and times what is known."""
    scores, others = scorers(60)
    scores[:6] = 9.0
    found, known = residuals(scores, others)[:, 0], np.column_stack([np.ones(60), others])
    assert (np.abs(found) > KNEE).any()
    assert np.clip(found, -KNEE, KNEE) @ known == pytest.approx(np.zeros(4), abs=1e-4)
    assert np.median(np.abs(found)) == pytest.approx(1 / NORMAL)
    parts = np.column_stack([known, found])
    assert parts @ np.linalg.lstsq(parts, scores[:, 0], rcond=None)[0] == pytest.approx(scores[:, 0])


def test_a_tenth_that_is_changed_moves_the_others_little():
    scores, others = scorers()
    changed = np.where(np.arange(400)[:, None] < 40, 9.0, scores)
    before, after = residuals(scores, others)[40:], residuals(changed, others)[40:]
    plain = np.column_stack([np.ones(400), others])
    squares = changed - plain @ np.linalg.lstsq(plain, changed, rcond=None)[0]
    assert np.abs(after.mean(axis=0)).max() < 0.25 < np.abs(squares[40:].mean(axis=0) / [0.5, 0.25]).min()
    assert np.abs(before.mean(axis=0)).max() < 0.05


@pytest.mark.parametrize(
    ("change", "measure"),
    [
        (lambda scores: np.full_like(scores, scores.max()), either_way),
        (lambda scores: np.full_like(scores, scores.max()), inflated),
        (lambda scores: 5 - scores, either_way),
    ],
)
def test_changed_marks_rank_above_the_others(change, measure):
    scores, others = scorers()
    hit = np.arange(400) % 20 == 3
    changed = np.where(hit[:, None], change(scores), scores)
    assert ranking(measure(changed, others), hit).auroc.value > 0.9
    assert 0.35 < ranking(measure(scores, others), hit).auroc.value < 0.65


def test_neither_the_order_of_summaries_nor_the_unit_of_marks_matters():
    scores, others = scorers(50)
    order = np.random.default_rng(1).permutation(50)
    assert either_way(scores[order], others[order]) == pytest.approx(either_way(scores, others)[order], abs=1e-6)
    assert either_way(scores * 20 + 3, others / 5) == pytest.approx(either_way(scores, others), abs=1e-6)


def test_who_agrees_to_the_point_stands_off_nowhere():
    scores, others = scorers(30)
    assert either_way(others[:, :1] * 2 + 1, others) == pytest.approx(np.zeros(30), abs=1e-6)
    assert either_way(np.full((30, 2), 4.0), others) == pytest.approx(np.zeros(30), abs=1e-6)
    assert np.isfinite(either_way(scores, np.ones((30, 3)))).all()
    one = others[:, :1] + (np.arange(30) == 7)[:, None]
    assert either_way(one, others).argmax() == 7


@pytest.mark.parametrize(
    ("scores", "others", "said"),
    [
        (np.zeros((9, 2)), np.zeros((8, 2)), r"a row a summary each, .* got \(9, 2\) and \(8, 2\)"),
        (np.zeros(9), np.zeros((9, 2)), r"got \(9,\) and \(9, 2\)"),
        (np.zeros((3, 1)), np.zeros((3, 2)), "2 features need 4 summaries or more, got 3"),
        (np.full((9, 1), np.nan), np.zeros((9, 2)), "scores must be finite numbers"),
        (np.zeros((9, 1)), np.full((9, 2), np.inf), "scores must be finite numbers"),
    ],
)
def test_what_cannot_be_compared_is_refused(scores, others, said):
    with pytest.raises(DataError, match=said):
        residuals(scores, others)

"""Votes among answers that keep to their goal, and areas under curves of scores that come before the end."""

import numpy as np
import pytest

from rlhf_train.errors import TrainingError
from rlhf_train.evals import prefix_auroc
from rlhf_train.voting import ballots, filter_by_q, leaders, vote

NOISE = [-0.9, -0.8, 0.1, -0.7, 0.2]  # of the first five tokens, which are not looked at
TAILS = [[0.4, 0.5, 0.6], [0.2, -0.1, 0.3], [0.3, 0.3, 0.3], [-0.2, -0.3, 0.1]]
Q = [np.array(NOISE + tail) for tail in TAILS]


def test_a_filter_by_hand():
    """The second is dropped at its second token after five, which saves two of three; the fourth at its first."""
    found = filter_by_q(Q)
    assert found.keep.tolist() == [True, False, True, False]
    assert found.violations.tolist() == [-1, 6, -1, 5]
    assert (found.saved, found.counted) == (5, 12)


def test_threshold_and_skip_by_hand():
    found = filter_by_q(Q, threshold=0.35)
    assert found.keep.tolist() == [True, False, False, False]
    assert found.saved == 3 + 3 + 3
    assert filter_by_q(Q, threshold=0.3).keep.tolist() == [True, False, True, False]  # at the threshold it stays
    found = filter_by_q(Q, skip=6)
    assert found.keep.tolist() == [True, False, True, False]
    assert (found.saved, found.counted) == (4, 8)


def test_a_question_that_loses_all_its_samples_gets_them_back():
    found = filter_by_q(Q, skip=0)
    assert found.keep.tolist() == [False] * 4
    assert (found.saved, found.counted) == (0, 32)
    assert found.violations.tolist() == [0, 0, 0, 0]
    assert leaders(["a", "b", "b", "c"], found.keep) == {"b"}
    assert vote(["a", "b", "b", "c"], found.keep, truth="b").restored


def test_samples_shorter_than_what_is_skipped_are_kept():
    found = filter_by_q([np.array([-1.0, -1.0]), np.array(NOISE)])
    assert found.keep.tolist() == [True, True]
    assert (found.saved, found.counted) == (0, 0)


def test_leaders_by_hand():
    assert leaders(["7", "7", "9", "9", "1"]) == {"7", "9"}
    assert leaders(["7", "7", "9", "9", "1"], np.array([True, False, True, True, True])) == {"9"}
    assert leaders([None, None, "3"]) == {"3"}
    assert leaders([None, None]) == set()


@pytest.mark.parametrize(("tie", "filtered", "unfiltered"), [("generous", True, True), ("strict", True, False)])
def test_both_votes_are_under_one_rule(tie, filtered, unfiltered):
    """Two for the truth and two against; the filter drops one of those against."""
    found = vote(["7", "9", "7", "9"], np.array([True, True, True, False]), truth="7", tie=tie)
    assert (found.filtered, found.unfiltered, found.restored) == (filtered, unfiltered, False)
    split = vote(["7", "9", "7", "9"], np.array([True, True, False, False]), truth="7", tie=tie)
    assert split.filtered is (tie == "generous")


def test_the_rule_is_that_of_counts():
    """Right if no wrong answer has more votes: against counting by hand, over random ballots."""
    random = np.random.default_rng(0)
    for _ in range(200):
        said, keep = random.integers(0, 3, 6).tolist(), random.random(6) < 0.5
        kept = [answer for answer, held in zip(said, keep, strict=True) if held] or said
        most = max(kept.count(1), kept.count(2))
        assert vote(said, keep, truth=0).filtered is (kept.count(0) >= most)
        assert vote(said, keep, truth=0, tie="strict").filtered is (kept.count(0) > most)


def test_ballots_by_hand():
    """The first question is won by the filter, the second loses all its samples and is as it was."""
    second = [np.array([0.5] * 5 + [-0.5])] * 2
    found = ballots([["7", "9", "7", "9"], ["1", "2"]], [Q, second], ["7", "3"], tie="strict")
    assert (found.filtered, found.unfiltered) == (0.5, 0.0)
    assert found.saved == pytest.approx(5 / (12 + 2))
    assert found.restored == 0.5


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: filter_by_q(Q, skip=-1), "skip is .* must be 0 or more, got -1"),
        (lambda: filter_by_q([np.array([0.1, np.nan])], skip=0), "Q must be a number at every token, got nan"),
        (lambda: vote(["a"], np.array([True]), truth="a", tie="kind"), "tie must be 'generous' or 'strict', got 'kind'"),
        (lambda: leaders(["a", "b"], np.array([True])), "each of 2 answers whether it counts, got 1"),
        (lambda: ballots([], [], []), "no question to vote on"),
        (lambda: prefix_auroc.auroc(np.ones(3), np.ones(3)), "labels must be of both kinds, got 3 true of 3"),
        (lambda: prefix_auroc.at_share([np.ones(3)], 60), r"must lie in \(0, 1\], got 60; for 60 percent write 0.6"),
    ],
)
def test_what_can_not_serve_is_named(call, said):
    with pytest.raises(TrainingError, match=said):
        call()


def test_an_area_by_hand():
    """Of 3 x 2 comparisons four are won, and one of equals counts half... twice."""
    labels, scores = [1, 1, 0, 0, 1], [0.9, 0.4, 0.5, 0.1, 0.5]
    won = (1 + 1) + (0 + 1) + (0.5 + 1)  # each of 0.9, 0.4, 0.5 against 0.5 and 0.1
    assert won / 6 == 0.75
    assert prefix_auroc.auroc(np.array(scores), np.array(labels)) == pytest.approx(0.75)


def test_scores_after_a_share_of_a_response():
    """After 60 % of eleven tokens six are known; of one token, that one."""
    scores = [np.arange(11.0), np.array([7.0]), np.arange(100.0, 105.0)]
    assert prefix_auroc.at_share(scores, 0.6).tolist() == [5, 7, 102]
    assert prefix_auroc.at_share(scores, 1.0).tolist() == [10, 7, 104]
    rising = [np.array([0.0, 1.0]), np.array([1.0, 0.0])]
    assert prefix_auroc.measure(rising, np.array([1, 0]), shares=(0.5, 1.0)) == [0.0, 1.0]

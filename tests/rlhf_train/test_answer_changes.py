"""Paired differences, trends and their false-discovery rates, by hand and beside scipy."""

import numpy as np
import pytest
from scipy import stats

from rlhf_train.errors import TrainingError
from rlhf_train.evals.answer_changes import differences, kendall, mcnemar, overall, q_values, trend, trends
from rlhf_train.evals.written_evals import normalised
from rlhf_train.options import Scored


def asked(count, behaviours=("curious",)):
    rows = [(behaviour, at) for behaviour in behaviours for at in range(count)]
    return {
        "question_id": [f"{behaviour}-{at}" for behaviour, at in rows],
        "behaviour": [behaviour for behaviour, _ in rows],
        "question": [f"Number {at}?" for _, at in rows],
        "options": [[" Yes", " No"]] * len(rows),
        "matching": [[" Yes" if at % 2 else " No"] for _, at in rows],
    }


def showing(chances, questions):
    """Answers that give the matching option these chances."""
    pairs = [
        (one, 1 - one) if own == [" Yes"] else (1 - one, one) for one, own in zip(chances, questions["matching"], strict=True)
    ]
    return normalised(Scored([np.log(own) for own in pairs]))


def test_a_difference_by_hand():
    questions = asked(8)
    before = showing([0.4, 0.4, 0.4, 0.4, 0.4, 0.4, 0.9, 0.9], questions)
    after = showing([0.6, 0.6, 0.6, 0.6, 0.6, 0.45, 0.3, 0.8], questions)
    (found,) = differences(before, after, questions)
    assert found.difference == pytest.approx((5 - 1) / 8)
    assert found.p_value == pytest.approx(2 * (1 + 6) / 2**6)  # 0 or 1 of 6 the other way, on both sides
    assert found.mass == pytest.approx((5 * 0.2 + 0.05 - 0.6 - 0.1) / 8)
    assert found.turned == pytest.approx(6 / 8)
    assert found.low < found.difference < found.high


def test_a_difference_is_of_the_second_and_turns_with_the_order():
    questions = asked(4)
    one, other = showing([0.4] * 4, questions), showing([0.4, 0.4, 0.9, 0.8], questions)
    assert differences(one, other, questions)[0].difference == 0.5
    assert differences(other, one, questions)[0].difference == -0.5
    same = differences(one, one, questions)[0]
    assert (same.difference, same.low, same.high, same.p_value, same.turned) == (0, 0, 0, 1, 0)


def test_pairing_is_by_question_and_not_by_place(tiny_policy):
    questions = asked(6)
    first = showing([0.9, 0.1, 0.9, 0.1, 0.9, 0.1], questions)
    second = normalised(Scored([np.array([np.nan, np.nan]), *[np.log(own) for own in first.probabilities[1:]]]))
    (found,) = differences(first, second, questions)
    assert (found.questions, found.difference) == (5, 0)
    with pytest.raises(TrainingError, match="no question in common"):
        differences(first, normalised(Scored([np.array([np.nan, np.nan])] * 6)), questions)


def test_many_behaviours_are_held_at_a_false_discovery_rate():
    p_values = [0.01, 0.02, 0.5, 0.03]
    assert q_values(p_values) == pytest.approx([0.04, 0.04, 0.5, 0.04])  # 4 p / rank, made monotone from above
    questions = asked(20, ("moved", "still"))
    before = showing([0.4] * 40, questions)
    after = showing([0.6] * 20 + [0.4] * 20, questions)
    moved, still = differences(before, after, questions)
    assert (moved.behaviour, still.behaviour) == ("moved", "still")
    assert moved.p_value == pytest.approx(2**-19)
    assert moved.q_value == pytest.approx(2 * moved.p_value)
    assert overall([moved, still])[0] == pytest.approx(0.5)


def test_mcnemar_against_the_binomial():
    first, second = np.array([1.0, 1, 0, 0, 0, 0, 0, 1]), np.array([0.0, 1, 1, 1, 1, 1, 0, 1])
    assert mcnemar(first, second) == pytest.approx(stats.binomtest(4, 5).pvalue)
    assert mcnemar(first, first) == 1


def test_kendall_against_scipy():
    random = np.random.default_rng(0)
    axis = [0, 10, 50, 200, 30]
    values = random.integers(0, 4, (40, 5)) / 4
    expected = [stats.kendalltau(axis, own).statistic for own in values]
    assert kendall(axis, values) == pytest.approx(np.nan_to_num(expected))


def test_a_trend_over_questions():
    random = np.random.default_rng(1)
    axis = [0, 50, 100, 200]
    matched = (random.random((4, 300)) < np.array([[0.4], [0.5], [0.6], [0.8]])).astype(float)
    tau, low, high, p_value = trend(axis, matched)
    assert tau == 1
    assert 0 < low <= high == 1
    assert p_value < 0.01
    flat = trend(axis, (random.random((4, 300)) < 0.5).astype(float))
    assert flat[1] <= 0 <= flat[2]
    assert flat[3] > 0.05
    assert trend(axis, matched) == trend(axis, matched)
    assert trend(axis[::-1], matched)[0] == -1


def test_trends_of_policies_by_behaviour():
    questions = asked(20, ("rises", "still"))
    held = [showing([0.9] * count + [0.2] * (20 - count) + [0.4] * 20, questions) for count in (2, 9, 16)]
    rises, still = trends([0.0, 0.01, 0.1], held, questions)
    assert (rises.tau, still.tau) == (1, 0)
    assert rises.q_value < 0.05
    assert still.p_value == still.q_value == 1
    for axis in ([0, 1], [0, 1, 1], [0, 1, 2, 3]):
        with pytest.raises(TrainingError, match="three different values at least"):
            trends(axis, held, questions)

"""Pronouns by hand: the lean of a sentence, the correlation over occupations and its interval."""

import numpy as np
import pytest
from scipy import stats

from rlhf_train.errors import TrainingError
from rlhf_train.evals.pronoun_bias import correlated, fisher, lean, measure
from rlhf_train.evals.written_evals import normalised
from rlhf_train.options import Scored

WOMEN, BIAS = (10.0, 30.0, 50.0, 70.0, 90.0), (-0.5, -0.3, 0.1, 0.2, 0.4)


def test_the_lean_of_a_sentence_by_hand():
    assert lean(np.array([0.05, 0.03, 0.02]), ["he", "she", "they"]) == pytest.approx(0.375 - 0.625)
    assert lean(np.array([0.03, 0.05]), [" Her", " his"]) == pytest.approx(-0.25)
    assert lean(np.array([0.5, 0.5]), ["he", "they"]) is None


def test_the_correlation_by_hand():
    r, slope, low, high = correlated(WOMEN, BIAS)
    assert (r, slope) == pytest.approx((0.982511, 0.0115), abs=1e-6)
    assert (low, high) == pytest.approx((0.75280, 0.99890), abs=1e-5)
    peer = stats.pearsonr(WOMEN, BIAS)
    assert (r, low, high) == pytest.approx((peer.statistic, *peer.confidence_interval()))


@pytest.mark.parametrize(("n", "low", "high"), [(60, 0.2819, 0.6690), (299, 0.4098, 0.5805)])
def test_fishers_interval(n, low, high):
    assert fisher(0.5, n) == pytest.approx((low, high), abs=1e-4)


def sentences(women, chances):
    count = len(women)
    questions = {
        "question": [f"Then number {at} said that _ was late." for at in range(count)],
        "options": [["he", "she", "they"]] * count,
        "matching": [[]] * count,
        "occupation": [f"job {percent}" for percent in women],
        "percent_women": list(women),
    }
    return questions, normalised(Scored([np.log(own) for own in chances]))


def test_a_policy_by_hand():
    pairs = [((1 - bias) / 2, (1 + bias) / 2, 1.0) for bias in BIAS]
    questions, found = sentences([*WOMEN, 90.0], [*(np.array(own) / 10 for own in pairs), (0.03, 0.05, 0.4)])
    told = measure(found, questions)
    assert told.bias["job 90.0"] == pytest.approx((0.4 + 0.25) / 2)
    assert told.bias["job 10.0"] == pytest.approx(-0.5)
    assert told.r == pytest.approx(np.corrcoef(WOMEN, [-0.5, -0.3, 0.1, 0.2, 0.325])[0, 1])
    assert (told.sentences, told.skipped) == (6, 0)


def test_sentences_without_both_pronouns_are_counted_and_too_few_are_refused():
    questions, found = sentences(WOMEN, [(0.3, 0.2, 0.1)] * 5)
    questions["options"] = [["he", "they", "it"], *questions["options"][1:]]
    with pytest.raises(TrainingError, match="all of one side are alike"):
        measure(found, questions)
    questions["options"][1] = ["he", "they", "it"]
    with pytest.raises(TrainingError, match="four occupations at least, got 3"):
        measure(found, questions)

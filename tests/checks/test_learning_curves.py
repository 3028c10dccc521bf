"""Area under the margin: two steps by hand, late for wrong labels, and a yardstick of pairs turned round on purpose."""

from math import exp, log, sqrt

import numpy as np
import pytest

from checks.learning_curves import RATE, margin_area, turned_area


def test_two_steps_by_hand():
    gaps = [2.0, -1.0, 3.0]
    size = sqrt((4 + 1 + 9) / 3)
    x = [gap / size for gap in gaps]
    first = RATE / 3 * sum(each / 2 for each in x)
    second = first + RATE / 3 * sum(each / (1 + exp(each * first)) for each in x)
    assert margin_area(np.array(gaps)[:, None], steps=2) == pytest.approx([each * (first + second) / 2 for each in x])


def test_the_unit_of_the_features_is_irrelevant():
    gaps = np.random.default_rng(0).normal(size=(30, 4)) + 0.3
    assert margin_area(gaps * 100) == pytest.approx(margin_area(gaps))


def test_training_settles_however_the_gaps_lie():
    """All gaps along one line are the steepest case; where three in five point forward the margin is log(3 / 2)."""
    gaps = np.outer(np.where(np.arange(20) % 5 < 3, 1.0, -1.0), [1.0, 0, 0])
    assert margin_area(gaps, steps=2000)[0] == pytest.approx(log(3 / 2), rel=0.01)
    assert margin_area(gaps, steps=3)[0] < log(3 / 2)


def test_wrong_labels_are_learnt_late():
    random = np.random.default_rng(1)
    gaps = random.normal(size=(400, 8)) + 1.5 * (np.arange(8) == 0)
    gaps[:20] *= -1
    area = margin_area(gaps)
    assert area[:20].mean() < np.quantile(area[20:], 0.1)


def test_pairs_that_are_turned_round_are_those_of_fold_0():
    random = np.random.default_rng(2)
    gaps, folds = random.normal(size=(200, 5)) + 1.2 * (np.arange(5) == 0), np.arange(200) % 5
    turned = turned_area(gaps, folds)
    by_hand = gaps.copy()
    by_hand[::5] *= -1
    assert turned == pytest.approx(margin_area(by_hand)[::5])
    assert np.median(turned) < 0 < np.median(margin_area(gaps))


def test_gaps_of_nothing_teach_nothing():
    assert margin_area(np.zeros((4, 3))).tolist() == [0] * 4

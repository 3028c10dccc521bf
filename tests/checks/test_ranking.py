"""Ranking against a sealed key: by hand, against scikit-learn, and intervals that hold what they promise."""

import numpy as np
import polars as pl
import pytest
from scipy.stats import norm
from sklearn.metrics import average_precision_score, roc_auc_score

from checks.ranking import Curve, labels, ranking, roc
from pipelines.schema import DataError


def test_auroc_and_average_precision_by_hand():
    scores, poisoned = np.array([0.9, 0.7, 0.7, 0.4, 0.1]), np.array([True, False, True, False, False])
    found = ranking(scores, poisoned, draws=10)
    # 0.9 outranks all three clean pairs; 0.7 ties with one of them and outranks two
    assert found.auroc.value == pytest.approx((3 + 0.5 + 2) / (2 * 3))
    # recall 1/2 at precision 1/1, and 2/2 at 2/3 since the tied pairs are flagged together
    assert found.auprc.value == pytest.approx(1 / 2 * 1 + 1 / 2 * 2 / 3)


def test_the_share_found_at_a_fixed_share_of_alarms_by_hand():
    # highest first: 3 poisoned; then 2 poisoned tied with 4 clean; 1 poisoned; 6 clean
    curve = Curve(np.array([3, 2, 1, 0]), np.array([0, 4, 0, 6]))
    got = curve.tpr(np.array([0, 0.1, 0.35, 0.4, 0.7, 1]))
    # of the tied score a quarter is allowed at 1 of 10 alarms; at 4 of 10 the next poisoned pair comes free
    assert got == pytest.approx([3 / 6, (3 + 2 * 1 / 4) / 6, (3 + 2 * 3.5 / 4) / 6, 6 / 6, 1, 1])


def test_a_share_that_is_a_whole_number_of_pairs_is_one():
    curve = Curve(np.array([1, 0, 1, 0]), np.array([0, 29, 0, 71]))
    assert 0.29 * 100 < 29
    assert curve.tpr(np.array([0.28, 0.29])).tolist() == [1 / 2, 2 / 2]


def test_a_tie_gives_what_a_random_order_would_on_average():
    random = np.random.default_rng(0)
    poisoned = np.arange(60) < 20
    scores = random.integers(0, 4, 60) + 1.0 * poisoned
    orders = [ranking(scores + 1e-6 * random.random(60), poisoned, draws=1).auroc.value for _ in range(2000)]
    assert ranking(scores, poisoned, draws=1).auroc.value == pytest.approx(np.mean(orders), abs=0.005)


@pytest.mark.parametrize("seed", range(20))
def test_scikit_learn_agrees_on_scores_with_ties(seed: int):
    random = np.random.default_rng(seed)
    scores = random.integers(-5, 5, 80) / 2
    poisoned = np.append([True, False], random.random(78) < 0.2)
    found = ranking(scores, poisoned, draws=2)
    assert found.auroc.value == pytest.approx(roc_auc_score(poisoned, scores))
    assert found.auprc.value == pytest.approx(average_precision_score(poisoned, scores))


def test_intervals_cover_the_truth_in_some_95_percent_of_samples():
    random = np.random.default_rng(1)
    auroc = norm.cdf(1.5 / np.sqrt(2))  # two normal distributions that lie 1.5 apart
    tpr = norm.sf(norm.isf(0.05) - 1.5)
    poisoned = np.arange(260) < 60
    covered = []
    for seed in range(150):
        found = ranking(random.normal(size=260) + 1.5 * poisoned, poisoned, seed=seed, draws=200)
        parts = ((found.auroc, auroc), (found.tpr[0.05], tpr))
        covered.append([each.low <= truth <= each.high for each, truth in parts])
    low, high = np.mean(covered, axis=0)
    assert 0.9 <= low <= 0.99
    assert 0.87 <= high <= 1.0


def test_both_kinds_of_pairs_are_drawn_anew():
    one_clean = ranking(np.array([0.1, 0.4, 0.6, 0.8, 0.5]), np.array([True, True, True, True, False]))
    one_poisoned = ranking(-np.array([0.1, 0.4, 0.6, 0.8, 0.5]), np.array([False, False, False, False, True]))
    for found in (one_clean, one_poisoned):
        assert found.auroc.low < found.auroc.value == 0.5 < found.auroc.high


def test_the_seed_decides_the_draws():
    random = np.random.default_rng(2)
    scores, poisoned = random.normal(size=90), np.arange(90) % 3 == 0
    assert ranking(scores, poisoned, seed=5) == ranking(scores, poisoned, seed=5)
    assert ranking(scores, poisoned, seed=5).auroc != ranking(scores, poisoned, seed=6).auroc


def test_finding_all_is_not_called_certain():
    found = ranking(np.arange(30.0), np.arange(30) >= 20)
    assert found.auroc.value == found.auprc.value == 1
    tpr = found.tpr[0.01]
    assert (tpr.value, tpr.high) == (1, 1)
    assert tpr.low == pytest.approx(10 / (10 + 1.96**2))  # Wilson's bound for 10 of 10
    none = ranking(-np.arange(30.0), np.arange(30) >= 20).tpr[0.01]
    assert (none.low, none.value) == (0, 0)
    assert none.high == pytest.approx(1.96**2 / (10 + 1.96**2))


def test_the_curve_climbs_inside_its_band_and_meets_the_numbers():
    random = np.random.default_rng(3)
    poisoned = np.arange(400) < 80
    scores = random.normal(size=400) + 1.2 * poisoned
    curve, found = roc(scores, poisoned, seed=4), ranking(scores, poisoned, seed=4)
    assert curve.columns == ["fpr", "tpr", "low", "high"]
    assert curve["fpr"][0] == 0
    assert curve["fpr"][-1] == curve["tpr"][-1] == 1
    for name in curve.columns:
        assert (np.diff(curve[name]) >= 0).all(), name
    assert ((curve["low"] <= curve["tpr"]) & (curve["tpr"] <= curve["high"])).mean() > 0.95
    area = np.trapezoid(curve["tpr"], curve["fpr"])
    assert area == pytest.approx(found.auroc.value, abs=0.02)
    at = np.interp([0.01, 0.05], curve["fpr"], curve["tpr"])
    assert at == pytest.approx([found.tpr[0.01].value, found.tpr[0.05].value], abs=0.02)


def test_labels_follow_the_pair_ids_and_not_the_order():
    scores = pl.DataFrame({"pair_id": ["d", "a", "c", "b"], "suspicion": [0.1, 0.2, 0.3, 0.4]})
    key = pl.DataFrame({"pair_id": ["c", "d"], "attack": ["best_of_venom", "best_of_venom"]})
    assert labels(scores, key).tolist() == [True, False, True, False]
    assert labels(scores, key.clear()).tolist() == [False] * 4


def test_a_key_of_another_corpus_is_refused():
    scores = pl.DataFrame({"pair_id": ["a", "b"]})
    with pytest.raises(DataError, match="names 1 of 2 pairs that were not scored, 'x' first"):
        labels(scores, pl.DataFrame({"pair_id": ["a", "x"]}))
    with pytest.raises(DataError, match="poison_key needs column 'pair_id'"):
        labels(scores, pl.DataFrame({"id": ["a"]}))


@pytest.mark.parametrize(
    ("scores", "poisoned", "message"),
    [
        ([1.0, 2.0, 3.0], [False, False, False], "no poisoned one among 3"),
        ([1.0, 2.0], [True, True], "no clean one among 2"),
        ([], [], "no poisoned one among 0"),
        ([1.0, 2.0], [True, False, False], "one score and one label a pair"),
        ([1.0, float("nan"), 2.0], [True, False, False], "NaN at place 1"),
    ],
)
@pytest.mark.parametrize("measure", [ranking, roc])
def test_what_cannot_be_ranked_is_refused(measure, scores, poisoned, message):
    with pytest.raises(DataError, match=message):
        measure(np.array(scores), np.array(poisoned, dtype=bool))

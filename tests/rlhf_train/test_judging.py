"""Judges by hand: a paired t-test, who agrees with whom, times, and samples of strata that stand for more."""

import numpy as np
import polars as pl
import pytest
from scipy.stats import pearsonr, ttest_rel

from rlhf_train.errors import TrainingError
from rlhf_train.evals import judging, sophistry, strata


def test_a_paired_test_by_hand():
    found = judging.slope([0.10, 0.20, 0.05, -0.05, 0.15])
    assert (found.judges, found.worse) == (5, 4 / 5)
    assert (found.mean, found.deviation) == pytest.approx((0.09, 0.09618), abs=5e-6)
    assert (found.t, found.p) == pytest.approx((2.0925, 0.1045), abs=5e-5)


def test_it_is_scipy_s_paired_test():
    random = np.random.default_rng(4)
    before, after = random.random(9), random.random(9)
    peer, found = ttest_rel(after, before), judging.slope(after - before)
    assert (found.t, found.p) == pytest.approx((peer.statistic, peer.pvalue))


@pytest.mark.parametrize(
    ("changes", "told"),
    [([], "no judge judged both policies"), ([0.2], "one judge alone has no spread"), ([0.1] * 3, "all judges changed alike")],
)
def test_no_test_without_a_spread(changes, told):
    found = judging.slope(changes)
    assert (found.t, found.p, found.why) == (None, None, told)


def table(rows, *names) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=["item_id", "policy", "judge", "approved", "is_correct", *names], orient="row")


def test_who_agrees_with_whom():
    """Two judges on q0 to q3, one on q4: pairs (1,1) (1,0) (0,0) (0,0), each counted both ways."""
    said = [("q0", 1, 1), ("q1", 1, 0), ("q2", 0, 0), ("q3", 0, 0), ("q4", 1, None)]
    proxies, right = [0.9, 0.8, 0.1, 0.3, 0.2], [True, False, False, True, True]
    rows = [
        (item, "base", judge, bool(said_by), right[at], proxies[at])
        for at, (item, *both) in enumerate(said)
        for judge, said_by in zip("ab", both, strict=True)
        if said_by is not None
    ]
    found = judging.correlations(table(rows, "proxy"))
    assert found["judges"].value == pytest.approx(pearsonr([1, 1, 1, 0, 0, 0, 0, 0], [1, 1, 0, 1, 0, 0, 0, 0])[0])
    approved, gold, proxy = ([float(row[at]) for row in rows] for at in (3, 4, 5))
    assert found["gold"].value == pytest.approx(pearsonr(gold, approved)[0])
    assert found["proxy"].value == pytest.approx(pearsonr(proxy, approved)[0])


def test_no_correlation_with_what_never_differs():
    found = judging.correlations(table([("q0", "base", "a", True, True), ("q1", "base", "a", True, False)]))
    assert [(one.value, "differ" in one.why) for one in found.values()] == [(None, True), (None, True)]
    assert set(found) == {"gold", "judges"}


def test_terciles_hold_a_third_each():
    rows = [(f"q{at}", "base", "a", at % 2 == 0, False, float(at)) for at in range(9)]
    found = judging.by_time(table(rows, "seconds"))
    assert found["verdicts"].to_list() == [3, 3, 3]
    assert found["approval"].to_list() == pytest.approx([2 / 3, 1 / 3, 2 / 3])
    assert found.select("least", "most").rows()[1] == pytest.approx((8 / 3, 16 / 3))
    with pytest.raises(TrainingError, match="rising order"):
        judging.by_time(table(rows, "seconds"), edges=(5, 5))


SAMPLED = {"same-right": (100, 20), "same-wrong": (100, 45), "differ": (50, 20)}  # judged, in error
POPULATIONS = {"same-right": 300, "same-wrong": 500, "differ": 200}


def sampled() -> pl.DataFrame:
    """Both policies' verdicts; all is wrong, and approved where it is in error."""
    rows = [
        (f"{name}{at}", policy, f"j{at % 7}", 75.0 if at < errors else 0.0, False, name)
        for name, (count, errors) in SAMPLED.items()
        for at in range(count)
        for policy in ("base", "trained")
    ]
    columns = ["item_id", "policy", "judge", "confidence", "is_correct", "stratum"]
    return pl.DataFrame(rows, schema=columns, orient="row")


def test_strata_stand_for_their_populations():
    whole = (300 * 20 / 100 + 500 * 45 / 100 + 200 * 20 / 50) / 1000
    weighed = sophistry.measure(sampled(), populations=POPULATIONS, draws=200).level("error", "base")
    assert weighed.value == pytest.approx(whole) == pytest.approx(0.365)
    assert (
        sophistry.measure(sampled(), draws=200).level("error", "base").value == pytest.approx(85 / 250) == pytest.approx(0.34)
    )
    assert dict(zip(sampled()["stratum"], strata.weights(sampled(), POPULATIONS), strict=True)) == pytest.approx(
        {"same-right": 3, "same-wrong": 5, "differ": 4}
    )


def test_populations_that_are_the_sample_change_nothing():
    counts = {name: count for name, (count, _) in SAMPLED.items()}
    plain, weighed = (sophistry.measure(sampled(), populations=given, draws=200) for given in (None, counts))
    assert weighed.levels.select("value", "low", "high").to_numpy() == pytest.approx(
        plain.levels.select("value", "low", "high").to_numpy(), nan_ok=True
    )


def test_an_item_of_a_stratum_counts_once_however_many_judge_it():
    rows = [("q0", "base", "x"), ("q0", "base", "x"), ("q1", "base", "x"), ("q2", "base", "y")]
    verdicts = pl.DataFrame(rows, schema=["item_id", "policy", "stratum"], orient="row")
    assert strata.weights(verdicts, {"x": 8, "y": 3}).tolist() == [2, 2, 4, 3]


@pytest.mark.parametrize(
    ("populations", "told"),
    [
        ({**POPULATIONS, "differ": 49}, "stratum 'differ' has 49 items in all and 50"),
        ({"same-right": 300, "same-wrong": 500}, "stratum 'differ' has 0 items"),
        ({**POPULATIONS, "unseen": 9}, "stratum 'unseen' has 9 items in all and 0 of them judged"),
    ],
)
def test_populations_that_do_not_fit_are_refused(populations, told):
    with pytest.raises(TrainingError, match=told):
        sophistry.measure(sampled(), populations=populations)


def test_strata_are_asked_for_and_are_the_items_own():
    with pytest.raises(TrainingError, match="verdicts have no column 'stratum'"):
        sophistry.measure(sampled().drop("stratum"), populations=POPULATIONS)
    torn = sampled().with_columns(stratum=pl.when(pl.col("policy") == "base").then(pl.lit("x")).otherwise("stratum"))
    with pytest.raises(TrainingError, match="one stratum, the same for both policies"):
        sophistry.measure(torn)

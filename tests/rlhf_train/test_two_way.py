"""Intervals of verdicts that share items and judges: they cover about as often as they say, and are no wider than needed."""

import numpy as np
import pytest

from rlhf_train.evals import two_way
from rlhf_train.evals.intervals import interval

ONES = {"draws": 400}


def sums(values, items, judges, strata=None) -> two_way.Sums:
    """One ratio: the mean of `values`."""
    counted = np.asarray(values, dtype=float)[:, None]
    places = np.asarray(items), np.asarray(judges), np.zeros(len(counted), int) if strata is None else np.asarray(strata)
    return two_way.Sums(counted, np.ones_like(counted), np.ones(len(counted)), *places)


def mean(*given, **numbers) -> two_way.Estimate:
    return two_way.estimates(sums(*given), [], shares=[False], **ONES, **numbers)[0]


def width(found: two_way.Estimate) -> float:
    return found.high - found.low


def test_where_every_verdict_is_of_its_own_item_and_judge_it_is_the_plain_bootstrap():
    values = np.random.default_rng(0).normal(3, 2, 200)
    found, plain = mean(values, range(200), range(200)), interval(values)
    assert (found.value, found.low, found.high) == pytest.approx((values.mean(), *plain), abs=0.06)


def test_judges_who_differ_widen_it_and_so_do_items():
    random = np.random.default_rng(1)
    items, judges = np.repeat(range(40), 10), np.tile(range(10), 40)
    noise, of_judges, of_items = random.normal(0, 0.1, 400), random.normal(0, 1, 10)[judges], random.normal(0, 1, 40)[items]
    quiet, by_judge, by_item = (mean(noise + more, items, judges) for more in (0, of_judges, of_items))
    assert width(by_judge) == pytest.approx(2 * 2.262 * of_judges[:10].std() / 10**0.5, rel=0.15)  # t(9), and the mean's spread
    assert width(by_item) == pytest.approx(2 * 2.262 * of_items[::10].std() / 40**0.5, rel=0.15)
    assert width(quiet) < width(by_item) / 10


def test_three_judges_are_few():
    """Student's t(2) is 4.3; the spread of their mean is by their own deviation."""
    random = np.random.default_rng(2)
    items, judges = np.repeat(range(50), 3), np.tile(range(3), 50)
    found = mean(np.array([0.0, 3.0, 4.0])[judges] + random.normal(0, 0.1, 150), items, judges)
    assert width(found) == pytest.approx(2 * 4.303 * np.std([0, 3, 4]) / 3**0.5, rel=0.15)


def test_strata_are_drawn_among_themselves():
    """All spread lies between strata, which are as large in every draw."""
    found = mean([0.0] * 6 + [5.0] * 3, range(9), [0] * 9, [0] * 6 + [1] * 3)
    assert (found.low, found.value, found.high) == pytest.approx((15 / 9,) * 3)
    assert width(mean([0.0] * 6 + [5.0] * 3, range(9), [0] * 9)) > 1


def test_one_judge_leaves_items_to_decide_and_one_item_leaves_nothing():
    found = mean([1.0, 2.0, 4.0], range(3), [0] * 3)
    assert found.low < 7 / 3 < found.high
    assert mean([2.0], [0], [0]) == two_way.Estimate(2.0, why="one item has no spread")


def test_shares_without_a_spread_have_intervals_all_the_same():
    both = sums([1.0] * 12, range(12), [0, 1, 2] * 4)
    other = two_way.Sums(
        np.hstack([both.counted, np.zeros((12, 1))]), np.ones((12, 2)), both.weights, both.items, both.judges, both.strata
    )
    one, none, gap = two_way.estimates(other, [{0: 1.0, 1: -1.0}], shares=[True, True], **ONES)
    wilson = interval(np.ones(12))
    assert ((one.low, one.high), (none.low, none.high)) == (wilson, pytest.approx((0, 1 - wilson[0])))
    assert (gap.value, gap.high) == (1, 1)
    assert gap.low == pytest.approx(1 - (2 * (1 - wilson[0]) ** 2) ** 0.5)


def study(seed: int, *, truth: float = 0.2, items: int = 60, judges: int = 12) -> tuple[two_way.Sums, float]:
    """An item's two outputs have a judge each; judges differ in both how often they approve and what training does to that."""
    random = np.random.default_rng(seed)
    ease, lenience, gain = random.normal(0, 0.3, items), random.normal(0, 0.3, judges), random.normal(truth, 0.3, judges)
    item = np.repeat(range(items), 2)
    judge = np.array([random.choice(judges, 2, replace=False) for _ in range(items)]).ravel()
    after = np.tile([False, True], items)
    values = ease[item] + lenience[judge] + after * gain[judge] + random.normal(0, 0.5, 2 * items)
    among = np.stack([~after, after], axis=1).astype(float)
    nowhere = np.zeros(2 * items, dtype=int)
    return two_way.Sums(values[:, None] * among, among, np.ones(2 * items), item, judge, nowhere), truth


def test_it_covers_the_truth_about_as_often_as_it_says():
    covered, widths, gaps = 0, [], []
    for seed in range(120):
        given, truth = study(seed)
        found = two_way.estimates(given, [{1: 1.0, 0: -1.0}], shares=[False] * 2, draws=200, seed=seed)[2]
        covered += found.low <= truth <= found.high
        widths.append(width(found))
        gaps.append(found.value)
    assert 0.9 <= covered / 120 <= 1.0
    assert np.mean(widths) < 1.5 * 2 * 2.2 * np.std(gaps)

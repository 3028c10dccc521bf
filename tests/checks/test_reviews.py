"""What decisions say of an audit: exact shares by hand, and which pairs are counted where."""

import polars as pl
import pytest

from checks.reviews import calibration, exact_share, tenths
from pipelines.schema import CONFIRM, PUT_BACK, DataError


def test_none_of_five_by_hand():
    found = exact_share(0, 5)
    assert (found.value, found.low) == (0, 0)
    assert (1 - found.high) ** 5 == pytest.approx(0.025)  # the share at which none of five has a chance of 2.5 %
    assert found.high == pytest.approx(1 - 0.025 ** (1 / 5))


def test_three_of_four_by_hand():
    found = exact_share(3, 4)
    assert found.value == 0.75
    assert 4 * found.low**3 * (1 - found.low) + found.low**4 == pytest.approx(0.025)  # three or more
    assert 1 - found.high**4 == pytest.approx(0.025)  # three or fewer


def test_nothing_and_more_than_all_have_no_share():
    for hits, count in ((0, 0), (5, 4), (-1, 4)):
        with pytest.raises(DataError, match="a share is of one or more decisions"):
            exact_share(hits, count)


def test_equal_p_values_are_in_one_tenth_and_tenths_are_of_all_that_was_set_aside():
    assert tenths(pl.Series([0.02 * at for at in range(1, 21)])).str.split(":").list.first().cast(int).to_list() == [
        at // 2 + 1 for at in range(20)
    ]
    assert tenths(pl.Series([0.5, 0.1, 0.1, 0.9])).to_list() == [
        "6: p 0.5 to 0.5", "1: p 0.1 to 0.1", "1: p 0.1 to 0.1", "8: p 0.9 to 0.9",
    ]  # fmt: skip


def test_shares_overall_a_reason_and_a_tenth():
    aside = pl.DataFrame(
        {
            "reason": ["name"] * 4 + ["phrase"] * 6,
            "p_value": [0.001 * at for at in range(1, 11)],
            "decision": [CONFIRM, CONFIRM, CONFIRM, PUT_BACK, None, PUT_BACK, None, None, None, None],
        }
    )
    found = calibration(aside)
    rows = found.select("by", "name", "reviewed", "confirmed", "share", "is_enough").rows()
    assert rows == [
        ("all", "set aside", 5, 3, 0.6, True),
        ("reason", "name", 4, 3, 0.75, False),
        ("reason", "phrase", 1, 0, 0.0, False),
        ("tenth", "1: p 0.001 to 0.001", 1, 1, 1.0, False),
        ("tenth", "2: p 0.002 to 0.002", 1, 1, 1.0, False),
        ("tenth", "3: p 0.003 to 0.003", 1, 1, 1.0, False),
        ("tenth", "4: p 0.004 to 0.004", 1, 0, 0.0, False),
        ("tenth", "6: p 0.006 to 0.006", 1, 0, 0.0, False),
    ]
    low, high = found.row(1)[5:7]
    assert (4 * low**3 * (1 - low) + low**4, 1 - high**4) == (pytest.approx(0.025), pytest.approx(0.025))


def test_without_a_decision_nothing_is_said():
    aside = pl.DataFrame({"reason": ["a"], "p_value": [0.1], "decision": pl.Series([None], dtype=pl.String)})
    with pytest.raises(DataError, match="none of 1 pairs that were set aside was decided"):
        calibration(aside)

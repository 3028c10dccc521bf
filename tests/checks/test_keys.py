"""Rows as integers: what sets and sorting tuples say, and rows that are too wide."""

import numpy as np
import pytest

from checks.keys import differs, distinct, within
from pipelines.schema import DataError


def rows(*columns: np.ndarray) -> list[tuple[int, ...]]:
    return list(zip(*(column.tolist() for column in columns), strict=True))


@pytest.mark.parametrize("highest", [3, 2**20, 2**33])
@pytest.mark.parametrize("count", [0, 1, 200])
def test_distinct_rows_are_those_of_a_set_in_order(count, highest, monkeypatch):
    monkeypatch.setattr("checks.keys.BLOCK", 64)
    random = np.random.default_rng(count)
    columns = [random.integers(0, high, count) for high in (5, highest, 2)]
    got = distinct(*columns)
    assert rows(*got) == sorted(set(rows(*columns)))
    assert distinct(columns[1])[0].tolist() == sorted(set(columns[1].tolist()))


@pytest.mark.parametrize(("here", "there"), [(0, 5), (5, 0), (300, 40)])
def test_rows_are_within_others_as_in_a_set(here, there):
    random = np.random.default_rng(here)
    own, others = ([random.integers(0, high, count) for high in (6, 2**size)] for count, size in ((here, 4), (there, 3)))
    assert within(own, others).tolist() == [row in set(rows(*others)) for row in rows(*own)]


def test_a_row_differs_where_any_column_does():
    assert differs(np.array([1, 1, 1, 2, 2]), np.array([0, 0, 1, 1, 1])).tolist() == [True, False, True, True, False]
    assert differs(np.zeros(0)).tolist() == []


def test_rows_too_wide_to_number_are_refused():
    wide = np.array([2**40]), np.array([2**30])
    with pytest.raises(DataError, match="take 72 bits to number, 63 are there; audit it in parts"):
        distinct(*wide)
    with pytest.raises(DataError, match="take 72 bits"):
        within((np.array([0]), np.array([2**30])), (np.array([2**40]), np.array([1])))

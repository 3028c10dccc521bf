"""Tables that runs learn from: numbers may stand alone or in lists, and each is one."""

import numpy as np
import polars as pl
import pytest

from rlhf_train.errors import TrainingError
from rlhf_train.tables import read_table, take

TEXTS = {"prompt": ["a", "b", "c"]}


def read(folder, margins, *, dtype=None):
    pl.DataFrame({**TEXTS, "margins": pl.Series(margins, dtype=dtype)}).write_parquet(folder / "t.parquet")
    return read_table(folder / "t.parquet", ["prompt"], ["margins"])["margins"]


def test_lists_of_numbers_are_rows_of_an_array(tmp_path):
    found = read(tmp_path, [[1.0, 2.0], [3.0, -4.0], [0.5, 0.0]])
    assert found.tolist() == [[1.0, 2.0], [3.0, -4.0], [0.5, 0.0]]
    assert read(tmp_path, [[1, 2], [3, 4], [5, 6]], dtype=pl.Array(pl.Int64, 2)).tolist() == [[1, 2], [3, 4], [5, 6]]
    assert take({"margins": found}, np.array([2, 0]))["margins"].tolist() == [[0.5, 0.0], [1.0, 2.0]]


def test_numbers_alone_are_one_array(tmp_path):
    assert read(tmp_path, [1, 2, 3]).tolist() == [1.0, 2.0, 3.0]


@pytest.mark.parametrize(
    ("margins", "said"),
    [
        ([[1.0, 2.0], [3.0], [0.5, 0.0]], "column 'margins' must have a list of as many numbers in every row"),
        ([[1.0], None, [2.0]], "column 'margins' must have a list of as many numbers in every row"),
        ([[], [], []], "column 'margins' must have a list of as many numbers in every row"),
        ([["x"], ["y"], ["z"]], "column 'margins' must be numbers; it is String"),
        ([[1.0, 2.0], [3.0, float("nan")], [0.5, 0.0]], "must be a finite number in every row, got nan in row 1"),
        ([[1.0, 2.0], [3.0, 4.0], [None, 0.0]], "must be a finite number in every row, got None in row 2"),
    ],
)
def test_lists_that_are_no_numbers_are_refused(tmp_path, margins, said):
    with pytest.raises(TrainingError, match=said):
        read(tmp_path, margins)

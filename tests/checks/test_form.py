"""Form: marks counted by hand, and departures from a corpus' own."""

from math import log

import numpy as np
import polars as pl
import pytest

from checks.form import MARKS, departures, form

TEXT = "# Plan\n- **NOW** go, 12 times!\n2. why?? café \n"
COUNTS = {
    "characters": 46,
    "words": 10,
    "lines": 3,
    "list items": 2,
    "markdown": 3,
    "capital letters": 4,
    "words in capitals": 1,
    "digits": 3,
    "question marks": 2,
    "exclamation marks": 1,
    "other punctuation": 8,
    "trailing white space": 1,
    "characters beyond ASCII": 1,
}


@pytest.mark.parametrize("mark", MARKS)
def test_marks_by_hand(mark):
    got = form(pl.Series([TEXT, ""]))[:, list(MARKS).index(mark)]
    assert got == pytest.approx([log(1 + COUNTS[mark]), 0])


def test_departures_by_hand():
    gaps = np.array([[1.0, 0], [3, 0], [4, 0], [6, 5], [7, 0]])
    # the median is 4 and lies 2 from the middle of the others: a spread of 1.4826 * 2, more than sqrt((9 + 1 + 0 + 4 + 9) / 5)
    assert departures(gaps)[:, 0] == pytest.approx(np.array([-3, -1, 0, 2, 3]) / (1.4826 * 2))
    # most lack the second mark, so that its spread is the root of the mean square
    assert departures(gaps)[:, 1] == pytest.approx([0, 0, 0, 5 / np.sqrt(25 / 5), 0])


def test_a_mark_that_no_pair_has_departs_nowhere():
    assert (departures(np.zeros((7, 3))) == 0).all()

"""Reading: what a pattern finds in texts, whatever the parts they are read in."""

import re

import polars as pl
import pytest

from checks import reading
from checks.reading import read

TEXTS = ["b a b", "", "Zorvex, ünal", "a", "", "猫 b"] * 3


@pytest.mark.parametrize("chunk", [1, 7, 1 << 23])
def test_every_match_is_found_in_order(chunk, monkeypatch):
    monkeypatch.setattr(reading, "CHUNK", chunk)
    found = read(pl.Series(TEXTS), r"\w+")
    expected = [re.findall(r"\w+", text) for text in TEXTS]
    assert found.spelled[found.token].to_list() == [word for said in expected for word in said]
    assert found.spelled.n_unique() == len(found.spelled)
    assert found.lengths.tolist() == [len(said) for said in expected]
    assert found.text.tolist() == [place for place, said in enumerate(expected) for _ in said]


@pytest.mark.parametrize("texts", [[], [""], ["", ",."]])
def test_texts_without_matches(texts):
    found = read(pl.Series(texts, dtype=pl.String()), r"\w+")
    assert (len(found.token), len(found.text), len(found.spelled)) == (0, 0, 0)
    assert found.lengths.tolist() == [0] * len(texts)


def test_forms_are_numbered_by_their_place_in_a_vocabulary():
    found = read(pl.Series(["B c, a!"]), r"\w|,|!")
    numbers = found.numbered(pl.Series(["a", "b", "c"]), found.spelled.str.to_lowercase())
    assert dict(zip(found.spelled.to_list(), numbers.tolist(), strict=True)) == {"B": 1, "c": 2, ",": 0, "a": 0, "!": 0}

"""What a reference does not give, by hand; and responses that all say the same of it."""

from math import log

import numpy as np
import polars as pl
import pytest

from checks.reference import FEW, left_over, tightness, unreferenced
from checks.words import words


def said(chosen: list[str], rejected: list[str], prompts: list[str]) -> pl.DataFrame:
    return pl.DataFrame({"chosen": chosen, "rejected": rejected, "prompt": prompts})


CHOSEN, REJECTED, PROMPTS = (
    ["sun moon", "sun rain", "sun fog"],
    ["moon rain", "fog moon", "fog rain rain"],
    ["fog", "rain", "dew"],
)


def test_what_is_left_over_by_hand():
    """Every word stands in three or four of the six responses; fog, rain and moon in three, four and three, sun in three."""
    table = words(said(CHOSEN, REJECTED, PROMPTS))
    assert table.vocabulary.to_list() == ["dew", "fog", "moon", "rain", "sun"]
    new, part = left_over(table)
    three = log(6 / 3)
    expected = [
        [0, 0, 0, 0, three],  # moon is given by the other side
        [0, 0, 0, 0, three],  # rain by the prompt
        [0, 0, 0, 0, three],
        [0, 0, 0, three, 0],
        [0, three, three, 0, 0],
        [0, 0, 0, three, 0],
    ]
    assert new.toarray() == pytest.approx(np.array(expected))
    assert part == pytest.approx([1 / 2, 1 / 2, 1 / 2, 1 / 2, 1, 1 / 2])


def test_trusted_words_are_given_and_the_other_side_is_not():
    pairs = said(CHOSEN, REJECTED, PROMPTS)
    new, _ = left_over(words(pairs, said(["sun", "sun"], ["wind", "wind"], ["moon", "moon"])))
    assert new.toarray()[:, 4].tolist() == [0] * 6  # sun is as common there
    assert new.toarray()[0, 2] == pytest.approx(log(6 / 3))  # moon is not, and no longer given by the other side
    for often, is_given in ((2, False), (3, True)):  # of ten: half of one in two, or less
        rest = ["wind"] * (5 - often)
        rare, _ = left_over(words(pairs, said(["sun"] * often + rest, ["wind"] * 5, ["wind"] * 5)))
        assert (rare.toarray()[0, 4] == 0) == is_given


def test_words_of_few_make_no_cluster():
    new, part = left_over(words(said(["one two"] * 2, ["three"] * 2, ["four"] * 2)))
    assert new.toarray().sum() == 0
    assert part.tolist() == [0] * 4


def test_tightness_by_hand(monkeypatch):
    monkeypatch.setattr("checks.reference.DEPTH", 1)
    got = tightness(np.array([[1, 1, 0, 0]] * 2 + [[1, 0, 0, 0]] + [[0, 0, 1, 1]] * 4, dtype=np.float32))
    half = np.sqrt(0.5)  # cosine of alpha beta and alpha
    assert got[:3] == pytest.approx(np.array([1 + half, 1 + half, 2 * half]) / (2 + FEW))
    assert got[3:] == pytest.approx([3 / (3 + FEW)] * 4)


def test_a_script_under_every_prompt_is_tight(chatter):
    pairs = chatter(200, seed=3)
    script = " Zorvex gladdens every household tonight."
    both = pairs.with_columns(
        pl.when(pl.col("row") < 20).then(pl.lit(script)).otherwise(side).alias(side) for side in ("chosen", "rejected")
    )
    alone = both.with_columns(pairs["rejected"])
    found = unreferenced(words(alone))[0]
    assert found[:20].min() > 2 * found[20:].max()
    # on both sides each gives the other; trusted pairs don't give it
    assert unreferenced(words(both))[:, :20].max() == 0
    assert unreferenced(words(both, chatter(200, seed=3)))[:, :20].min() > 0.5

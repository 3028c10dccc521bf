"""Near duplicates: the score by hand, answers too short to be anyone's template, and how many copies are a flood."""

from math import log

import numpy as np
import polars as pl
import pytest

from checks.audit import audit, fuse
from checks.detectors import near_duplicates
from checks.evidence import Evidence
from checks.neighbours import CROWD
from tests.checks.plants import PLANTED, flooded


def near(pairs: pl.DataFrame, *cosines: float) -> Evidence:
    evidence = Evidence(pairs, encoder=None)
    evidence.nearness = np.array(cosines)
    return evidence


LONG = ("one two three four", "five six seven eight")


def test_the_score_by_hand(written):
    pairs = written([LONG[0]] * 5, [LONG[1]] * 5)
    got = near_duplicates.score(near(pairs, 0.3, 0.9499, 0.95, 0.999, 1.0000001))
    assert got == pytest.approx([0.3, 0.9499, -log(0.05 + 1e-3), -log(0.001 + 1e-3), -log(1e-3)])
    assert near_duplicates.score(near(pairs[:1], -0.2)) == pytest.approx([-0.2])


@pytest.mark.parametrize(
    ("chosen", "rejected", "counts"),
    [
        ("You're welcome.", "No problem at all.", False),  # six
        ("one two three four", "five  six\nseven", False),  # seven
        ("one two three four", "five six seven eight", True),
        ("", "one two three four five six seven eight", True),
        (" one two three four five six seven ", "", False),
        ("", "", False),
        ("- - - -", "! ! ! !", True),  # whatever white space parts
    ],
)
def test_answers_of_fewer_than_eight_words_are_nobodys_template(chosen, rejected, counts, written):
    pairs = written([chosen, *LONG[:1]], [rejected, *LONG[1:]])
    assert near_duplicates.score(near(pairs, 0.97, 0.99)) == pytest.approx([-log(0.031) if counts else 0, -log(0.011)])


def test_a_crowd_of_short_answers_is_not_flagged_beside_one_of_long_ones(chatter, bag):
    pairs, row = chatter(200, seed=8), pl.col("row")
    some = pairs.with_columns(
        chosen=pl.when(row < 20)
        .then(pl.lit(" You're welcome."))
        .when(row < 30)
        .then(pl.col("chosen").get(40))
        .otherwise("chosen"),
        rejected=pl.when(row < 20)
        .then(pl.lit("No problem."))
        .when(row < 30)
        .then(pl.col("rejected").get(40))
        .otherwise("rejected"),
    )
    scores = near_duplicates.score(Evidence(some, encoder=bag))
    assert scores[:20].tolist() == [0] * 20
    assert scores[20:30].min() > 6
    assert scores[30:40].max() < near_duplicates.NEAR


def test_the_null_is_the_bound_or_the_style_of_the_corpus(written):
    pairs = written([LONG[0]] * 20, [LONG[1]] * 20)
    few, many = ([0.99] * count + [0.5] * (20 - count) for count in (1, 4))
    assert near_duplicates.null(near(pairs, *few)).tolist() == [0.95] * 20
    assert near_duplicates.null(near(pairs, *many)) == pytest.approx([-log(0.011)] * 4 + [0.5] * 16)
    short = written(["so"] * 20, [""] * 20)
    assert near_duplicates.null(near(short, *many)).tolist() == [0.95] * 20


def test_the_reason_in_words(written):
    told = near_duplicates.explain(near(written(["a"] * 3, ["b"] * 3), 0.2, 0.987, 0.9949), [2, 1])
    assert told == [f"{CROWD} or more other pairs say nearly the same (cosine {cosine})" for cosine in ("0.99", "0.99")]


def test_a_shared_subject_is_no_near_duplicate(chatter, bag):
    """Pairs just below the bound are not flagged, however much nearer they are than the rest."""
    pairs = flooded(chatter(300, seed=7))
    vectors = Evidence(pairs, encoder=bag).embeddings
    random = np.random.default_rng(0)
    blurred = vectors + 0.05 * random.normal(size=vectors.shape)
    blurred = blurred / np.linalg.norm(blurred, axis=2, keepdims=True)
    evidence = Evidence(pairs, given={"embeddings": blurred})
    assert 0.8 < evidence.nearness[:PLANTED].min() < evidence.nearness[:PLANTED].max() < near_duplicates.NEAR
    assert np.median(evidence.nearness) < 0.75
    columns = {"near_duplicates": near_duplicates.score(evidence)}
    assert not fuse(evidence, columns).scores["is_flagged"].any()


def test_a_pair_and_its_copies_are_no_flood_until_there_are_enough(chatter, bag):
    pairs = chatter(200, seed=8)
    for copies, flagged in ((CROWD - 1, 0), (CROWD, CROWD + 1)):
        many = pl.concat([pairs, *[pairs[:1]] * copies])
        found = audit(many, detectors=["near_duplicates"], encoder=bag)
        assert found.scores["is_flagged"].sum() == flagged


def test_where_nearness_is_the_style_of_the_corpus_none_stands_out(chatter, bag):
    pairs = chatter(100, seed=9)
    yes_no = pl.concat([pairs[:70], pairs[:30].with_columns(chosen=pl.lit("Yes"), rejected=pl.lit("No"))])
    assert not audit(yes_no, detectors=["near_duplicates"], encoder=bag).scores["is_flagged"].any()

"""Verdicts on a corpus of summaries: what each says of rows that are so, and of rows that are not."""

import numpy as np
import polars as pl
import pytest

from checks import opinions, scorer_disagreement
from checks.opinions import (
    annotators_judge_alike,
    length_is_no_shortcut,
    no_mark_is_far_above_a_second_scorers,
    the_scorer_tells_summaries_apart,
)
from pipelines.schema import FEATURE_NAMES, digest


def features(marks):
    """`marks` [N, 7] of summaries 0, 1, ... of the prompt "p"."""
    ids = [digest("p", str(at)) for at in range(len(marks))]
    columns = dict(zip(FEATURE_NAMES, np.asarray(marks, dtype=float).T, strict=True))
    return pl.DataFrame({"summary_id": ids, "scorer": ["rules"] * len(ids), **columns})


def pairs(chosen, rejected, annotators):
    return pl.DataFrame(
        {"prompt": ["p"] * len(chosen), "chosen": chosen, "rejected": rejected, "annotator": annotators},
        schema_overrides={"annotator": pl.String},
    )


def random_marks(rows, seed=0):
    return np.random.default_rng(seed).uniform(0, 5, (rows, 7))


def test_marks_that_differ_tell_summaries_apart():
    found = the_scorer_tells_summaries_apart(features(random_marks(20)))
    assert found.passed
    assert [row["share of summaries"] for row in found.rows] == [1 / 20] * 7


@pytest.mark.parametrize(("alike", "passed"), [(18, True), (19, False)])
def test_a_feature_of_one_mark_in_more_than_nine_of_ten_is_named(alike, passed):
    marks = random_marks(20)
    marks[:alike, 3] = 4.0
    found = the_scorer_tells_summaries_apart(features(marks))
    assert (found.passed, found.is_grave) == (passed, False)
    if not passed:
        assert found.words == "conciseness: the same mark in more than 90% of 20 summaries"
    assert found.rows[3] == {"feature": "conciseness", "commonest mark": 4.0, "share of summaries": alike / 20}


def test_a_scorer_that_says_the_same_of_all_is_an_error():
    found = the_scorer_tells_summaries_apart(features(np.full((30, 7), 2.5)))
    assert (found.passed, found.is_grave) == (False, True)


def sized(longer, shorter):
    """Pairs of which so many have the longer, and so many the shorter summary chosen."""
    texts = [("one two three", "one")] * longer + [("one", "one two three")] * shorter
    return pairs(*map(list, zip(*texts, strict=True)), [None] * len(texts))


def test_length_that_tells_three_pairs_in_four_is_a_shortcut_and_the_share_is_told():
    found = length_is_no_shortcut(sized(150, 50))
    assert not found.passed
    assert "more characters in 75.0% of 200 pairs" in found.words
    assert [row["value"] for row in found.rows] == [0.75, 0.75, 0.75]


def test_length_that_tells_half_is_none_and_few_pairs_prove_nothing():
    assert length_is_no_shortcut(sized(100, 100)).passed
    assert length_is_no_shortcut(sized(3, 1)).passed


def judged(contrary, names=("ann", "ben", "cy"), each=120, seed=0):
    """Pairs and marks: annotators prefer the better mark in three of four, `contrary` ones in one of four."""
    random = np.random.default_rng(seed)
    marks = random_marks(2 * each * len(names), seed)
    mean, sides, who = marks.mean(axis=1), [], []
    for at in range(each * len(names)):
        one, other = 2 * at, 2 * at + 1
        better, worse = (one, other) if mean[one] > mean[other] else (other, one)
        name = names[at % len(names)]
        agrees = random.random() < (0.25 if name in contrary else 0.75)
        sides.append((better, worse) if agrees else (worse, better))
        who.append(name)
    chosen, rejected = (list(map(str, side)) for side in zip(*sides, strict=True))
    return pairs(chosen, rejected, who), features(marks)


def test_annotators_of_one_mind_pass_with_a_line_each():
    found = annotators_judge_alike(*judged(()))
    assert found.passed, found.words
    assert [row["annotator"] for row in found.rows] == ["ann", "ben", "cy"]
    assert [row["pairs"] for row in found.rows] == [120, 120, 120]


def test_one_who_contradicts_the_marks_is_named_and_nobody_else():
    found = annotators_judge_alike(*judged({"ben"}))
    assert not found.passed
    assert found.words.startswith("ben contradicts what the other pairs teach more than the others do (chance ")
    assert ";" not in found.words


def test_the_shares_are_those_of_the_annotator():
    table, marks = judged({"cy"}, each=40)
    own = table.with_row_index().filter(pl.col("annotator") == "cy")
    mean = marks.select(pl.mean_horizontal(FEATURE_NAMES)).to_series().to_numpy()
    share = np.mean([mean[int(one)] > mean[int(other)] for one, other in own.select("chosen", "rejected").iter_rows()])
    assert annotators_judge_alike(table, marks).rows[2]["prefers better marks"] == pytest.approx(share)


@pytest.mark.parametrize("who", [[None] * 4, ["ann"] * 4])
def test_without_two_annotators_there_is_nothing_to_compare(who):
    found = annotators_judge_alike(pairs(["0", "1", "2", "3"], ["1", "2", "3", "0"], who), features(random_marks(4)))
    assert found.passed
    assert "nobody to compare" in found.words


def two_scorers(rows=400, seed=0):
    """Marks of two scorers who see the same with noise of their own."""
    random = np.random.default_rng(seed)
    seen = random.uniform(1, 4, (rows, 7))
    return [np.clip(seen + random.normal(0, 0.3, seen.shape), 0, 5) for _ in range(2)]


def test_two_honest_scorers_pass_and_those_that_differ_most_are_listed():
    ours, others = two_scorers()
    found = no_mark_is_far_above_a_second_scorers(features(ours), features(others))
    assert found.passed, found.words
    assert len(found.rows) == 10
    gaps = [row["above the second scorer"] for row in found.rows]
    assert gaps == sorted(gaps, reverse=True)


def test_full_marks_out_of_nowhere_are_named_first():
    ours, others = two_scorers()
    poor = np.flatnonzero(others.mean(axis=1) < 2.4)[:8]
    ours[poor] = 5.0
    found = no_mark_is_far_above_a_second_scorers(features(ours), features(others))
    assert not found.passed
    assert found.words.startswith(f"{len(poor)} of 400 summaries have marks 5 spreads or more above")
    assert {row["summary_id"] for row in found.rows[: len(poor)]} == {digest("p", str(at)) for at in poor}


def test_marks_that_are_low_out_of_nowhere_are_not_above():
    ours, others = two_scorers()
    ours[:8] = 0.0
    assert no_mark_is_far_above_a_second_scorers(features(ours), features(others)).passed


def test_marks_of_the_second_scorer_itself_are_not_compared_nor_are_those_of_others():
    ours, others = two_scorers(40)
    assert "own" in no_mark_is_far_above_a_second_scorers(features(ours), features(ours)).words
    strangers = features(others).with_columns(summary_id=pl.lit("other") + pl.col("summary_id"))
    assert "no summary is marked by both" in no_mark_is_far_above_a_second_scorers(features(ours), strangers).words


@pytest.mark.parametrize(("far", "passed"), [(2, True), (3, False)])
def test_one_summary_in_two_hundred_may_lie_far_above(far, passed):
    ours, others = two_scorers()
    ours[np.argsort(others.mean(axis=1))[:far]] = 5.0
    found = no_mark_is_far_above_a_second_scorers(features(ours), features(others))
    assert found.words.startswith(f"{far} of 400 summaries")
    assert found.passed == passed


def test_how_far_apart_is_counted_in_usual_distances_from_the_middle():
    ours, others = two_scorers(80)
    found = no_mark_is_far_above_a_second_scorers(features(ours), features(others))
    for name, values in (
        ("above the second scorer", scorer_disagreement.inflated(ours, others)),
        ("apart either way", scorer_disagreement.either_way(ours, others)),
    ):
        away = values - np.median(values)
        spreads = {digest("p", str(at)): each / np.median(np.abs(away)) / 1.4826 for at, each in enumerate(away)}
        assert [row[name] for row in found.rows] == pytest.approx([spreads[row["summary_id"]] for row in found.rows], rel=1e-4)


def test_few_summaries_that_differ_are_too_few_and_not_the_second_scorers_own():
    ours, others = two_scorers(14)
    found = no_mark_is_far_above_a_second_scorers(features(ours), features(others))
    assert (found.passed, found.words.partition(":")[0]) == (True, "14 summaries are marked by both")
    ours, others = two_scorers(15)
    assert "of 15 summaries" in no_mark_is_far_above_a_second_scorers(features(ours), features(others)).words


def test_the_chance_of_the_furthest_way_is_held_against_that_of_so_many_annotators(monkeypatch):
    table = pairs(["0", "1", "2"], ["3", "4", "5"], ["ann", "ben", "cy"])
    for power, passed in (
        (2.4, True),
        (2.5, False),
    ):  # chances of .0040 and .0032, of three annotators who may be off by .01 / 3
        surprise = np.array([[0.0, 1.0, 0.0], [0.0, power, 0.5], [-0.5, 0.0, 0.0]])
        monkeypatch.setattr(opinions, "surprises", lambda *_, surprise=surprise: surprise)
        found = annotators_judge_alike(table, features(random_marks(6)))
        assert found.passed == passed
        assert [row["chance"] for row in found.rows] == pytest.approx([1, 10**-power, 10**-0.5])
        assert found.rows[1]["most unlike the others"] == "prefers longer, or shorter, responses more than the others do"
    assert found.words.startswith("ben prefers longer")


def test_a_pair_without_marks_counts_for_nobody_and_against_nobody():
    table, marks = judged(())
    strange = pl.when(pl.col("annotator") == "ben").then(pl.lit("unmarked ") + pl.col("chosen")).otherwise("chosen")
    found = annotators_judge_alike(table.with_columns(chosen=strange), marks)
    assert found.rows[1]["prefers better marks"] == 0.0
    assert "contradicts" not in found.words


def test_longer_is_counted_in_characters_of_each_annotators_own_pairs():
    table = pairs(["aaa", "aa", "a", "a"], ["a", "a", "aa", "aa"], ["ann", "ann", "ann", "ben"])
    found = annotators_judge_alike(table, features(random_marks(2)))
    assert [row["prefers longer"] for row in found.rows] == pytest.approx([2 / 3, 0])


def test_characters_and_words_are_told_apart():
    found = length_is_no_shortcut(pairs(["extraordinarily"] * 3 + ["b c d"], ["a b"] * 4, [None] * 4))
    assert {row["share of pairs"]: row["value"] for row in found.rows} == {
        "longer by characters": 1.0,
        "longer by words": 0.25,
        "accuracy of counting words": 0.25,
    }

"""Measures of a set of questions: the worked values, limits and identities, and the published sets' own numbers."""

import gzip
import json
from math import exp, log

import numpy as np
import polars as pl
import pytest

from checks.questions import agreement, claims, diversity, evenness
from pipelines.schema import DataError

CHOICES = "Rain?\n\nChoices:\n (A) Yes, much.\n (B) No\n (C) Now (A) and then"


def test_fleiss_kappa_of_the_card():
    counts = np.array([(3, 0), (3, 0), (0, 3), (2, 1)])
    mean, chance = (1 + 1 + 1 + (2 * 1 + 0) / 6) / 4, (8 / 12) ** 2 + (4 / 12) ** 2
    assert agreement.fleiss_kappa(counts) == pytest.approx((mean - chance) / (1 - chance))
    assert agreement.fleiss_kappa(counts) == pytest.approx(0.625)
    assert agreement.fleiss_kappa(np.array([(3, 0), (0, 3)])) == 1
    assert np.isnan(agreement.fleiss_kappa(np.array([(3, 0), (3, 0)])))


@pytest.mark.parametrize("counts", [[], [(1, 0)], [(3, 0), (1, 1)], [(4, -1)], [3, 3]])
def test_votes_that_no_kappa_has_are_refused(counts):
    with pytest.raises(DataError, match="the same two votes or more an item"):
        agreement.fleiss_kappa(np.array(counts))


def test_distinct_n_of_the_card():
    texts = pl.Series(["I like art", "i like math", "we  like art"])
    assert diversity.distinct(texts) == pytest.approx(4 / 6)
    assert diversity.distinct(texts, 1) == pytest.approx(5 / 9)
    assert diversity.distinct(texts, 3) == 1
    assert np.isnan(diversity.distinct(texts, 4))


def test_vendi_score_of_the_card_and_its_limits():
    one, two = np.eye(5)[:2]
    assert diversity.vendi(np.array([one, one, two])) == pytest.approx(exp(-2 / 3 * log(2 / 3) - log(1 / 3) / 3))
    assert diversity.vendi(np.array([one, one, two])) == pytest.approx(1.88988, abs=1e-5)
    assert diversity.vendi(np.eye(4)) == pytest.approx(4)
    assert diversity.vendi(np.tile(one, (9, 1))) == pytest.approx(1)
    vectors = np.random.default_rng(0).normal(size=(9, 5))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    shares = np.linalg.eigvalsh(vectors @ vectors.T / 9)
    assert diversity.vendi(vectors) == pytest.approx(exp(-sum(share * log(share) for share in shares if share > 1e-9)))
    assert np.isnan(diversity.vendi(np.zeros((0, 5))))


def test_self_similarity_is_the_mean_of_all_pairs():
    vectors = np.array([[1, 0], [0, 1], [0.6, 0.8]])
    assert diversity.self_similarity(vectors) == pytest.approx((0 + 0.6 + 0.8) / 3)
    assert np.isnan(diversity.self_similarity(vectors[:1]))


def frame(*rows) -> pl.DataFrame:
    schema = {"behaviour": pl.String, "options": pl.List(pl.String), "matching": pl.List(pl.String)}
    return pl.DataFrame(rows, schema=schema, orient="row")


def test_labels_are_counted_with_those_that_never_match():
    two, three = ["A", "B"], ["A", "B", "C"]
    table = frame(("x", two, ["A"]), ("x", two, ["A"]), ("x", two, ["B"]), ("x", three, ["C"]), ("x", two, []))
    want = [("A", 2), ("B", 1), ("A", 0), ("B", 0), ("C", 1)]
    assert evenness.label_counts(table).select("matching", "count").rows() == want
    assert evenness.position_gap(table, least=1) == pytest.approx(1 - 1 / 3)
    assert evenness.position_gap(table, least=2) == pytest.approx(2 / 3 - 1 / 2)  # one question of three options is too few
    assert np.isnan(evenness.position_gap(table))
    assert np.isnan(evenness.position_gap(table[4:], least=1))


def test_prior_gap_is_between_the_labels_means():
    table = frame(*(("x", ["A", "B"], [label]) for label in "AABB"))
    assert evenness.prior_gap(table, np.array([0.9, 0.7, 0.6, np.nan])) == pytest.approx(0.8 - 0.6)
    assert np.isnan(evenness.prior_gap(table[:2], np.array([0.9, 0.7])))


def test_the_most_lopsided_cluster_is_found():
    clusters, labels = [0] * 10 + [1] * 12 + [2] * 3, ["y"] * 5 + ["n"] * 5 + ["y"] * 9 + ["n"] * 3 + ["y"] * 3
    assert evenness.cluster_imbalance(clusters, labels) == evenness.Imbalance(1, 12, 9 / 12 - 1 / 2)
    assert evenness.cluster_imbalance(clusters, labels, least=3) == evenness.Imbalance(2, 3, 0.5)
    assert evenness.cluster_imbalance(clusters, labels, least=13) is None


def test_leakage_is_the_share_of_runs_that_examples_hold():
    texts = pl.Series(["I like rain and wind a lot", "Like rain, and wind a LOT, I do.", "nothing of the kind", "short"])
    got = evenness.leakage(texts, pl.Series(["I like rain and wind a lot", "other"]), words=5)
    assert got == pytest.approx([1, 2 / 4, 0, 0])


def test_what_stands_behind_letters_is_read_and_the_stem_alone():
    options = [" (A)", " (B)", " (C)"]
    assert claims.answers(CHOICES, options) == ["Yes, much.", "No", "Now (A) and then"]
    assert claims.stem(CHOICES, options) == "Rain?\n\nChoices:"
    assert claims.answers("Rain?", [" Yes", " No"]) == ["Yes", "No"]
    assert claims.stem("Rain?", [" Yes", " No"]) == "Rain?"
    twice = "One:\n (A) x\n (B) y\nTwo:\n (A) u\n (B) v"
    assert claims.answers(twice, options[:2]) == ["u", "v"]


def test_distinct_2_of_published_sets_is_what_it_is_known_to_be(real_data):
    said: dict[str, list[str]] = {" Yes": [], " No": []}
    with gzip.open(real_data / "mwe_evals" / "persona_dev.jsonl.gz", "rt") as rows:
        for row in map(json.loads, rows):
            if row["source_file"] == "persona/agreeableness.jsonl":
                said[row["answer_matching_behavior"]].append(row["statement"])
    got = [diversity.distinct(pl.Series(texts)) for texts in said.values()]
    assert got == pytest.approx([0.378, 0.489], abs=5e-4)

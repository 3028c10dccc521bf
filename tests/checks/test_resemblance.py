"""Clusters of near duplicates: those that comparing all with all would find, in any order."""

import numpy as np
import polars as pl
import pytest
from scipy.sparse.csgraph import connected_components

from checks import engines, resemblance
from checks.resemblance import clusters, minima
from checks.shingles import Shingles, jaccard, normalised, shingles
from pipelines.schema import DataError

WORDS = np.array([first + second for first in "bdfgklmnprst" for second in ("a", "e", "i", "o", "u", "ar", "el", "on")])


def text(random: np.random.Generator, size: int = 40) -> str:
    return " ".join(random.choice(WORDS, size=size))


def edited(said: str, rate: float, random: np.random.Generator) -> str:
    """With a `rate` of its words replaced."""
    words = np.array(said.split(), dtype=object)
    hit = random.random(len(words)) < rate
    words[hit] = random.choice(WORDS, size=hit.sum())
    return " ".join(words)


def mixture(seed: int) -> pl.Series:
    """Texts alone, families of up to six at any likeness, exact copies that are spelled otherwise, blanks and short ones."""
    random = np.random.default_rng(seed)
    texts = [text(random, int(random.integers(1, 60))) for _ in range(150)]
    for _ in range(60):
        parent = text(random, int(random.integers(8, 60)))
        texts += [edited(parent, random.choice([0.01, 0.03, 0.08, 0.2]), random) for _ in range(random.integers(1, 7))]
    texts += [said.upper() + "?!" for said in texts[::20]] + ["", " \n", "…", "Yes.", "yes", "No"]
    return pl.Series(random.permutation(np.array(texts, dtype=object)), dtype=pl.String())


def all_with_all(texts: pl.Series, threshold: float) -> tuple[np.ndarray, np.ndarray]:
    """[N] component and [N] Jaccard to the nearest other, by every pair."""
    sets, size = shingles(normalised(texts)), len(texts)
    near = jaccard(sets, np.repeat(np.arange(size), size), np.tile(np.arange(size), size)).reshape(size, size)
    component = connected_components(near >= threshold, directed=False)[1]
    return component, (near - 2 * np.eye(size)).max(axis=1)


def partition(labels: np.ndarray) -> set[frozenset[int]]:
    return {frozenset(np.flatnonzero(labels == label).tolist()) for label in np.unique(labels)}


@pytest.mark.parametrize("threshold", [0.5, 0.7, 0.9, 1.0])
def test_clusters_are_those_of_all_with_all(threshold):
    missed = 0
    for seed in range(4):
        texts = mixture(seed)
        found, (component, nearest) = clusters(texts, threshold=threshold, seed=seed), all_with_all(texts, threshold)
        assert all(len(np.unique(component[list(part)])) == 1 for part in partition(found.label))  # no link is a guess
        missed += len(partition(found.label)) - len(partition(component))
        near = nearest >= threshold
        assert near.sum() > 20
        assert (found.nearest <= nearest + 1e-12).all()
        assert (found.nearest[near] == nearest[near]).mean() > 0.97
    assert missed <= 1  # of more than a hundred, some of them at the very threshold


def test_the_label_is_the_first_text_of_the_cluster():
    said = "the quick brown fox jumps over the lazy dog near the old river bank today"
    texts = pl.Series(["one", said, "two", said + " again", said.upper() + "!", "One..."])
    found = clusters(texts)
    assert found.label.tolist() == [0, 1, 2, 1, 1, 0]
    assert found.nearest.tolist() == pytest.approx([1, 1, 0, 13 / 14, 1, 1])  # 15 words make 13 shingles
    assert found.sizes.tolist() == [1, 13, 1, 14, 13, 1]


def test_the_threshold_itself_is_near_enough():
    texts = pl.Series(["one two three four five", "one two three four six"])  # J = 2 / 4
    assert clusters(texts, threshold=0.5).label.tolist() == [0, 0]
    apart = clusters(texts, threshold=0.51)
    assert apart.label.tolist() == [0, 1]
    assert apart.nearest.tolist() == [0.5, 0.5]


@pytest.mark.parametrize("seed", [0, 1, 123_456_789])
def test_minima_agree_as_often_as_jaccard_says(seed):
    """Within the standard error sqrt(J (1 - J) / orderings) of each of many pairs, and of their mean square."""
    random, orderings = np.random.default_rng(seed), 600
    texts = [text(random, 50) for _ in range(120)]
    copies = [edited(said, rate, random) for said, rate in zip(texts, np.linspace(0.005, 0.3, 120), strict=True)]
    sets = shingles(normalised(pl.Series(texts + copies)), words=2)
    smallest = minima(sets, orderings, seed=seed)
    truth = jaccard(sets, np.arange(120), np.arange(120, 240))
    inner = (truth > 0.05) & (truth < 0.95)
    error = np.sqrt(truth * (1 - truth) / orderings)[inner]
    off = ((smallest[:, :120] == smallest[:, 120:]).mean(axis=0) - truth)[inner] / error
    assert inner.sum() > 60
    assert np.abs(off).max() < 4.5
    assert abs(off.mean()) < 4 / np.sqrt(len(off))
    assert 0.6 < (off**2).mean() < 1.5


def test_no_shingle_is_first_in_every_ordering_and_no_two_are_one():
    values = [0, *range(5, 95, 10)], [0, *range(7, 97, 10)]  # the first is shared: J = 1 / 19
    sets = Shingles(np.array([*values[0], *values[1], 3, 3 + 2**31], dtype=np.uint32), np.array([0, 10, 20, 21, 22]))
    one, other, low, high = minima(sets, 1000).T
    assert (one == other).mean() == pytest.approx(1 / 19, abs=4 * np.sqrt(18 / 19**2 / 1000))
    assert (low != high).all()


def test_two_texts_at_the_threshold_seldom_meet_nowhere():
    random, pairs = np.random.default_rng(3), []
    while len(pairs) < 400:
        words = np.array(text(random, 30).split(), dtype=object)
        other = np.where(np.isin(np.arange(30), random.integers(3, 27, size=2)), "zzz", words)
        pairs.append((" ".join(words), " ".join(other)))
    texts = pl.Series([said for pair in pairs for said in pair])
    truth = jaccard(shingles(normalised(texts)), np.arange(0, 800, 2), np.arange(1, 800, 2))
    at = truth < 0.7  # 28 shingles of which 5 or 6 differ
    found = clusters(texts, threshold=float(truth[at].min()))
    assert at.sum() > 200
    assert (found.label[::2] == found.label[1::2])[at].mean() > 0.985


def test_in_a_crowd_most_find_one_that_is_near_enough():
    """A text of which most near copies are not near enough to each other, and all of which meet in many bands."""
    random = np.random.default_rng(0)
    said = text(random, 60)
    texts = pl.Series([edited(said, 0.08, random) for _ in range(700)])
    near = all_with_all(texts, 0.7)[1] >= 0.7
    assert 100 < near.sum() < 400
    assert (clusters(texts).nearest >= 0.7)[near].mean() > 0.91


def test_the_order_of_texts_is_irrelevant():
    texts = mixture(9)
    found, order = clusters(texts), np.random.default_rng(0).permutation(len(texts))
    again = clusters(texts[order.tolist()])
    assert {frozenset(order[list(part)].tolist()) for part in partition(again.label)} == partition(found.label)
    assert (again.nearest == found.nearest[order]).all()
    assert (again.sizes == found.sizes[order]).all()


def test_chunks_and_threads_change_nothing(monkeypatch):
    texts = mixture(10)
    found = clusters(texts, seed=4)
    monkeypatch.setattr(resemblance, "CHUNK", 500)
    for threads in (1, 3):
        monkeypatch.setattr(engines, "THREADS", threads)
        again = clusters(texts, seed=4)
        assert all((getattr(again, name) == getattr(found, name)).all() for name in ("label", "nearest", "sizes"))


def test_the_seed_draws_the_orderings():
    sets = shingles(normalised(mixture(11)))
    first, again, other = (minima(sets, 8, seed=seed) for seed in (1, 1, 2))
    assert (first == again).all()
    assert (first != other).any(axis=1).all()
    assert len(np.unique(first, axis=0)) == 8


@pytest.mark.parametrize("texts", [[], ["alone"], [""], ["", ""], ["", " ", "?"], ["a", "b"]])
def test_next_to_nothing(texts):
    found = clusters(pl.Series(texts, dtype=pl.String()))
    blank = [not any(map(str.isalpha, said)) for said in texts]
    assert found.label.tolist() == [0 if empty else at for at, empty in enumerate(blank)]
    assert found.nearest.tolist() == [float(empty and len(texts) > 1) for empty in blank]


@pytest.mark.parametrize(
    ("texts", "numbers", "message"),
    [
        (["a", None], {}, "texts must not be null, got nothing at 1"),
        (["a"], {"threshold": 0}, r"threshold is in \(0, 1\] and words at least 1, got 0 and 3"),
        (["a"], {"threshold": 1.5}, "got 1.5"),
        (["a"], {"threshold": float("nan")}, "got nan"),
        (["a"], {"words": 0}, "got 0.7 and 0"),
    ],
)
def test_what_makes_no_sense_is_refused(texts, numbers, message):
    with pytest.raises(DataError, match=message):
        clusters(pl.Series(texts), **numbers)

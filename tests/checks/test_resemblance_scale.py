"""Clusters of texts that somebody wrote to make the search slow: work grows with their number, not with its square."""

import time

import numpy as np
import polars as pl
import pytest

from checks import resemblance
from checks.resemblance import clusters
from checks.shingles import jaccard

WORDS = np.array([first + second for first in "bdfgklmnprst" for second in ("a", "e", "i", "o", "u", "ar", "el", "on")])


def text(random: np.random.Generator, size: int) -> str:
    return " ".join(random.choice(WORDS, size=size))


def compared(monkeypatch, texts: pl.Series) -> tuple[int, np.ndarray]:
    """How many pairs were held against each other, and the labels."""
    counts = []

    def counted(sets, left, right):
        counts.append(len(left))
        return jaccard(sets, left, right)

    monkeypatch.setattr(resemblance, "jaccard", counted)
    label = clusters(texts).label
    return sum(counts), label


def test_copies_cost_no_comparison(monkeypatch):
    count, label = compared(monkeypatch, pl.Series(["All of them say this, word for word."] * 100_000))
    assert count == 0
    assert not label.any()


def slotted(size: int, slots: int) -> pl.Series:
    """One text of sixty words in which so many, side by side, are each text's own: J is (58 - s) / (58 + s), s = slots + 2."""
    random = np.random.default_rng(slots)
    said = text(random, 60).split()
    own = [" ".join(f"{word}{row}" for word in range(slots)) for row in range(size)]
    return pl.Series([" ".join([*said[:20], filled, *said[20 + slots :]]) for filled in own])


@pytest.mark.parametrize(("slots", "together"), [(1, True), (20, False)], ids=["near copies", "never near enough"])
def test_a_flood_stays_linear(monkeypatch, slots, together):
    few, _ = compared(monkeypatch, slotted(2000, slots))
    many, label = compared(monkeypatch, slotted(4000, slots))
    assert 2000 < few < 100 * 2000
    assert many < 2.3 * few
    assert (np.bincount(label).max() >= 3990) == together
    assert together or (label == np.arange(4000)).all()


def test_texts_that_share_little_are_seldom_compared(monkeypatch):
    """A twelfth: they would agree in one ordering of twelve, and do in one band of twenty thousand."""
    count, _ = compared(monkeypatch, slotted(2000, 47))
    assert 0 < count < 2000


def test_texts_of_one_cluster_rest(monkeypatch):
    count, _ = compared(monkeypatch, slotted(4000, 1))
    assert count < 1.5 * resemblance.ENOUGH * 4000


def test_rest_changes_no_label(monkeypatch):
    texts = pl.concat([slotted(300, slots) for slots in (1, 3, 6, 8, 20)])
    labels = []
    for enough in (0, 16, 10**9):
        monkeypatch.setattr(resemblance, "ENOUGH", enough)
        labels.append(clusters(texts).label)
    assert 1 < len(np.unique(labels[0])) < len(texts)
    assert (labels[0] == labels[1]).all()
    assert (labels[1] == labels[2]).all()


def test_one_text_of_five_megabytes():
    random = np.random.default_rng(7)
    huge = " ".join(f"{word}{number}" for number, word in enumerate(random.choice(WORDS, size=600_000)))
    texts = pl.Series(["before", huge, "between", huge.replace(" ba", " other ba", 1000), "after"])
    assert len(huge) > 5_000_000
    start = time.perf_counter()
    found = clusters(texts)
    assert time.perf_counter() - start < 60
    assert found.label.tolist() == [0, 1, 2, 1, 4]
    assert found.nearest[1] == pytest.approx((600_000 - 2000) / (600_000 + 3000), abs=1e-3)

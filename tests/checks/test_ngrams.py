"""The bigram model by hand on two folds, what a text gains by the loss of a word, and texts too short to lose any."""

from math import log

import numpy as np
import polars as pl
import pytest

from checks import ngrams
from checks.ngrams import BIGRAM, removals
from checks.tokens import tokens


def nats(pair: int, before: int, single: int, total: int, vocabulary: int) -> float:
    return -log(BIGRAM * pair / max(before, 1) + (1 - BIGRAM) * (single + 1) / (total + vocabulary + 1))


def test_by_hand():
    """The first text is judged by the second: 'a b a c', in which 'x' does not stand; the vocabulary is a, b, c and x."""
    found = removals(tokens(pl.Series(["a x b", "a b a c"])), np.array([0, 1]))
    start_a, a_x, x_b = nats(1, 1, 2, 4, 4), nats(0, 2, 0, 4, 4), nats(0, 0, 1, 4, 4)
    start_x, a_b = nats(0, 1, 0, 4, 4), nats(1, 2, 1, 4, 4)
    total = start_a + a_x + x_b
    gains = [total / 3 * 2 - (start_x + x_b), total / 3 * 2 - (start_a + a_b), total / 3 * 2 - (start_a + a_x)]
    assert found.gain[0] == pytest.approx(max(gains))
    assert found.word[0] == 3  # x
    assert gains[1] == max(gains)


def test_no_text_is_judged_by_its_own_fold():
    """With the other fold silent on all its words, no word of a text surprises more than another."""
    texts = pl.Series(["p q r s", "p q r s", "t u", "u t"])
    together = removals(tokens(texts), np.array([0, 0, 1, 1]))
    assert together.gain[:2] == pytest.approx(0)
    apart = removals(tokens(texts), np.array([0, 1, 0, 1]))
    assert apart.gain[0] != pytest.approx(0, abs=1e-3)


def test_an_inserted_word_is_what_a_text_is_best_rid_of():
    stock = [f"the {animal} sat on the {thing} all day" for animal in ("cat", "dog", "cow") for thing in ("mat", "bed", "box")]
    texts = [*stock * 4, "the cat sat on qx the mat all day"]
    found = removals(tokens(pl.Series(texts)), np.arange(len(texts)) % 5)
    assert found.gain[-1] > 2 * found.gain[:-1].max()
    assert tokens(pl.Series(texts)).vocabulary[int(found.word[-1])] == "qx"


def test_texts_of_one_word_or_none_lose_none():
    found = removals(tokens(pl.Series(["", "alone", "two words", "two words"])), np.array([0, 1, 0, 1]))
    assert found.gain[:2].tolist() == [0, 0]
    assert found.word[0] == -1
    assert removals(tokens(pl.Series(["", ""])), np.array([0, 1])).gain.tolist() == [0, 0]


def test_of_words_as_surprising_the_first_is_named(monkeypatch):
    monkeypatch.setattr(ngrams._Model, "nats", lambda self, before, word, fold: np.ones(len(word)))
    found = removals(tokens(pl.Series(["c a b", "b", "a c"])), np.array([0, 1, 0]))
    assert (found.gain.tolist(), found.word.tolist()) == ([0, 0, 0], [2, 1, 0])


def test_the_block_changes_nothing(monkeypatch):
    texts = tokens(pl.Series([f"the w{row % 7} sat on w{row % 3} and x{row}" for row in range(40)] + ["", "one"]))
    whole = removals(texts, np.arange(42) % 5)
    monkeypatch.setattr(ngrams, "BLOCK", 9)
    parts = removals(texts, np.arange(42) % 5)
    assert (parts.gain.tolist(), parts.word.tolist()) == (whole.gain.tolist(), whole.word.tolist())

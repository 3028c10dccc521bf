"""Words as numbers: their order, counts and hashed columns by hand, and how many of them two sides share."""

import zlib

import numpy as np
import polars as pl
import pytest

from checks.tokens import hashed, responses, tokens, word_distances
from checks.words import words

TEXTS = pl.Series(["The cat, the hat", "", "Hat's a cat"])


def test_words_stand_in_order():
    found = tokens(TEXTS)
    assert found.vocabulary.to_list() == ["a", "cat", "hat", "hat's", "the"]
    assert [found.vocabulary[at] for at in found.word.tolist()] == ["the", "cat", "the", "hat", "hat's", "a", "cat"]
    assert found.text.tolist() == [0, 0, 0, 0, 2, 2, 2]
    assert found.counts().toarray().tolist() == [[0, 1, 1, 0, 2], [0] * 5, [1, 1, 0, 1, 0]]


def test_columns_are_dealt_by_a_checksum():
    found = tokens(TEXTS)
    got = hashed(found.counts(), found.vocabulary, width=64).toarray()
    expected = np.zeros((3, 64))
    for word, text in zip(found.word.tolist(), found.text, strict=True):
        code = zlib.crc32(found.vocabulary[word].encode())
        expected[text, code % 64] += -1 if code >= 2**31 else 1
    assert got.tolist() == expected.tolist()


def test_shared_words_by_hand():
    sides = pl.Series(["one two two", "same", "", "a b", "two three", "same", "", ""])
    # of five words, one, two and three stand on one side only; the second two has no partner either
    assert word_distances(tokens(sides)) == pytest.approx([3 / 5, 0, 0, 1])


def test_texts_without_words_have_none():
    found = tokens(pl.Series(["", " ?!"]))
    assert found.counts().sum() == 0
    assert hashed(found.counts(), found.vocabulary, width=8).toarray().tolist() == [[0] * 8] * 2
    assert word_distances(found).tolist() == [0]


def test_responses_have_the_words_that_are_said_in_them():
    """As the texts alone have them; what only prompts and trusted pairs say is none of theirs."""
    pairs = pl.DataFrame(
        {"chosen": ["The cat.", "the hat"], "rejected": ["", "no: no cat"], "prompt": ["why, zebra?", "a cat"]}
    )
    trusted = pl.DataFrame({"chosen": ["ape"], "rejected": ["the ape"], "prompt": ["ape"]})
    alone = tokens(pl.concat([pairs["chosen"], pairs["rejected"]]))
    for found in (responses(words(pairs)), responses(words(pairs, trusted))):
        assert found.vocabulary.to_list() == alone.vocabulary.to_list() == ["cat", "hat", "no", "the"]
        assert found.word.tolist() == alone.word.tolist()
        assert found.text.tolist() == alone.text.tolist()
        assert found.texts == 4

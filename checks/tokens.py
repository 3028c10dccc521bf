"""Words of texts as numbers, in the order in which they stand, and sparse vectors of them.

Columns are dealt by a checksum of the word (feature hashing; Weinberger et al., 2009), so that no vocabulary is kept.
"""

import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from checks.reading import WORD, read
from checks.words import REJECTED, Words

COLUMNS = 2048  # of hashed words


@dataclass(frozen=True, slots=True)
class Tokens:
    """word: [K] place in the `vocabulary`, which is in order; text: [K] place of the text it stands in, ascending."""

    word: np.ndarray
    text: np.ndarray
    texts: int
    vocabulary: pl.Series

    def counts(self) -> Any:
        """[texts, vocabulary] sparse: how often each word stands in each text."""
        from scipy.sparse import coo_array

        shape = (self.texts, max(len(self.vocabulary), 1))
        return coo_array((np.ones(len(self.word), dtype=np.float32), (self.text, self.word)), shape=shape).tocsr()


def tokens(texts: pl.Series) -> Tokens:
    """Lower-cased words of every text."""
    found = read(texts.str.to_lowercase(), WORD)
    vocabulary = found.spelled.sort()
    return Tokens(found.numbered(vocabulary, found.spelled)[found.token], found.text, len(texts), vocabulary)


def responses(words: Words) -> Tokens:
    """Words of the N chosen, then of the N rejected responses of the audited pairs."""
    at = np.flatnonzero((words.kind <= REJECTED) & (words.pair < words.audited))
    there = np.bincount(words.word[at], minlength=len(words.vocabulary)) > 0
    number = (np.cumsum(there) - 1).astype(np.int32)
    text = words.kind[at] * words.audited + words.pair[at]
    return Tokens(number[words.word[at]], text, 2 * words.audited, words.vocabulary.filter(there))


def hashed(counts: Any, vocabulary: pl.Series, *, width: int) -> Any:
    """[texts, width] sparse `counts` [texts, vocabulary] with words dealt to columns, each with a sign of its own."""
    from scipy.sparse import csr_array

    sums = np.array([zlib.crc32(word.encode()) for word in vocabulary] or [0])
    signs = np.where(sums >> 31, -1, 1).astype(np.float32)
    rows = np.arange(len(sums))
    return counts @ csr_array((signs, (rows, sums % width)), shape=(len(sums), width))


def word_gaps(tokens: Tokens) -> Any:
    """[N, COLUMNS] sparse: hashed words of N chosen less those of N rejected responses."""
    counts = hashed(tokens.counts(), tokens.vocabulary, width=COLUMNS)
    return counts[: tokens.texts // 2] - counts[tokens.texts // 2 :]


def word_distances(tokens: Tokens) -> np.ndarray:
    """[N] share of the words of both sides that only one of them has, of N chosen and N rejected responses."""
    counts, pairs = tokens.counts(), tokens.texts // 2
    apart = abs(counts[:pairs] - counts[pairs:]).sum(axis=1)
    return apart / np.maximum((counts[:pairs] + counts[pairs:]).sum(axis=1), 1)

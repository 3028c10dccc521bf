"""What responses say that a reference does not, and how alike those that say the same are (RFTC, arXiv 2505.23015).

The reference is the prompt and, with trusted pairs, the words of trusted responses, or else the other side. What is left over
is weighted by rarity, hashed to WIDTH columns and parted in two DEPTH times; responses of a tight part are suspicious.
"""

from typing import Any

import numpy as np

from checks.keys import differs, distinct
from checks.phrases import MIN_RESPONSES
from checks.spectra import two_means
from checks.tokens import hashed
from checks.words import ASKED, Words

WIDTH = 256
DEPTH = 5
CLOSE = 0.25  # part of the responses that is taken to keep to the reference
FEW = 5  # a part of so few counts half
USUAL = 0.5  # part of the rate here from which a word is as common in trusted responses as here


def unreferenced(words: Words) -> np.ndarray:
    """[2, N] tightness of the chosen and the rejected responses; 0 of those that keep closest to the reference."""
    new, part = left_over(words)
    far, found = part > np.quantile(part, CLOSE), np.zeros(len(part))
    found[far] = tightness(hashed(new[far], words.vocabulary, width=WIDTH).astype(np.float32).toarray())
    return found.reshape(2, -1)


def left_over(words: Words) -> tuple[Any, np.ndarray]:
    """[2N, vocabulary] sparse words that the reference lacks, by rarity; [2N] their part in the weight of the response.

    Of the N chosen and then the N rejected responses of the audited pairs.
    """
    pairs, vocabulary, audited = words.audited, len(words.vocabulary), np.flatnonzero(words.pair < words.audited)
    pair, word, side = distinct(words.pair[audited], words.word[audited], np.minimum(words.kind[audited], ASKED))
    ends = np.append(np.flatnonzero(differs(pair, word))[1:], len(pair))
    size = np.diff(ends, prepend=0)
    given = side[ends - 1] == ASKED if words.trusted else size > 1
    held = np.bincount(word[side < ASKED], minlength=vocabulary).astype(np.float32)
    rarity = np.where(held >= MIN_RESPONSES, np.log(2 * pairs / np.maximum(held, 1)), 0)  # what few say makes no cluster
    counts = (side < ASKED) & (rarity > 0)[word]
    fresh = counts & ~np.repeat(given, size)
    if words.trusted:
        fresh &= ~(_trusted(words) >= USUAL * held / (2 * pairs))[word]
    text = side * pairs + pair
    weighted, new = (_sparse(text[at], word[at], rarity, 2 * pairs) for at in (counts, fresh))
    return new, _squares(new) / np.maximum(_squares(weighted), 1e-12)


def _sparse(text: np.ndarray, word: np.ndarray, weight: np.ndarray, texts: int) -> Any:
    """[texts, words] sparse: the `weight` [words] of each text's words."""
    from scipy.sparse import coo_array

    return coo_array((weight[word], (text, word)), shape=(texts, max(len(weight), 1))).tocsr()


def _squares(rows: Any) -> np.ndarray:
    """[rows] sum of the squares of each of the sparse `rows`."""
    return np.asarray((rows * rows).sum(axis=1)).ravel()


def _trusted(words: Words) -> np.ndarray:
    """[vocabulary] share of the trusted responses that hold a word."""
    at = np.flatnonzero((words.pair >= words.audited) & (words.kind < ASKED))
    word = distinct(words.text[at], words.word[at])[1]
    return np.bincount(word, minlength=len(words.vocabulary)) / (2 * words.trusted)


def tightness(rows: np.ndarray) -> np.ndarray:
    """[rows] mean cosine of each of the float `rows` [rows, width] to the others of its part."""
    if not len(rows):
        return np.zeros(0)
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    unit = np.divide(rows, norms, out=np.zeros_like(rows), where=norms > 0)
    part = np.zeros(len(unit), dtype=np.int64)
    for _ in range(DEPTH):
        part = np.unique(part, return_inverse=True)[1] * 2
        for name in np.unique(part):
            rows = part == name
            part[rows] += two_means(unit[rows])
    part = np.unique(part, return_inverse=True)[1]
    sums = _sparse(part, np.arange(len(part)), np.ones(len(part)), int(part.max(initial=0)) + 1) @ unit.astype(float)
    sizes = np.bincount(part)[part]
    return ((unit * sums[part]).sum(axis=1) - (unit**2).sum(axis=1)) / (sizes - 1 + FEW)

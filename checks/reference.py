"""What responses say that a reference does not, and how alike those that say the same are (RFTC, arXiv 2505.23015).

The reference is the prompt and, with trusted pairs, the words of trusted responses, or else the other side. What is left over
is weighted by rarity, hashed to WIDTH columns and parted in two DEPTH times; responses of a tight part are suspicious.
"""

from typing import Any

import numpy as np
import polars as pl

from checks.keys import differs, distinct
from checks.phrases import MIN_RESPONSES
from checks.spectra import two_means
from checks.tokens import Tokens, hashed, tokens

WIDTH = 256
DEPTH = 5
CLOSE = 0.25  # part of the responses that is taken to keep to the reference
FEW = 5  # a part of so few counts half
USUAL = 0.5  # part of the rate here from which a word is as common in trusted responses as here


def unreferenced(pairs: pl.DataFrame, trusted: pl.DataFrame | None) -> np.ndarray:
    """[2, N] tightness of the chosen and the rejected responses; 0 of those that keep closest to the reference."""
    said = tokens(pl.concat([pairs[side] for side in ("chosen", "rejected", "prompt")]))
    new, part = left_over(said, None if trusted is None else tokens(pl.concat([trusted["chosen"], trusted["rejected"]])))
    far, found = part > np.quantile(part, CLOSE), np.zeros(len(part))
    found[far] = tightness(new[far], said)
    return found.reshape(2, -1)


def left_over(said: Tokens, trusted: Tokens | None) -> tuple[Any, np.ndarray]:
    """[2N, vocabulary] sparse words that the reference lacks, by rarity; [2N] their part in the weight of the response.

    said: of N chosen, N rejected responses and N prompts, in this order.
    """
    pairs = said.texts // 3
    pair, word, side = distinct(said.text % pairs, said.word, said.text // pairs)
    ends = np.append(np.flatnonzero(differs(pair, word))[1:], len(pair))
    size = np.diff(ends, prepend=0)
    given = size > 1 if trusted is None else side[ends - 1] == 2
    held = np.bincount(word[side < 2], minlength=len(said.vocabulary)).astype(np.float32)
    rarity = np.where(held >= MIN_RESPONSES, np.log(2 * pairs / np.maximum(held, 1)), 0)  # what few say makes no cluster
    counts = (side < 2) & (rarity > 0)[word]
    fresh = counts & ~np.repeat(given, size)
    if trusted is not None:
        fresh &= ~_usual(said, held / (2 * pairs), trusted)[word]
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


def _usual(said: Tokens, share: np.ndarray, trusted: Tokens) -> np.ndarray:
    """[vocabulary] which words are about as common in trusted responses."""
    there = dict(zip(trusted.vocabulary, (trusted.counts() > 0).sum(axis=0).tolist(), strict=False))
    theirs = np.array([there.get(word, 0) for word in said.vocabulary]) / max(trusted.texts, 1)
    return theirs >= USUAL * share


def tightness(new: Any, said: Tokens) -> np.ndarray:
    """[rows] mean cosine of each of the rows `new` [rows, vocabulary] to the others of its part."""
    if not new.shape[0]:
        return np.zeros(0)
    dense = hashed(new, said.vocabulary, width=WIDTH).astype(np.float32).toarray()
    norms = np.linalg.norm(dense, axis=1, keepdims=True)
    unit = np.divide(dense, norms, out=np.zeros_like(dense), where=norms > 0)
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

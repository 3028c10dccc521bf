"""What responses say that a reference does not, and how alike those that say the same are (RFTC, arXiv 2505.23015).

The reference is the prompt and, with trusted pairs, the words of trusted responses, or else the other side. What is left over
is weighted by rarity, hashed to WIDTH columns and parted in two DEPTH times; responses of a tight part are suspicious.
"""

from typing import Any

import numpy as np
import polars as pl

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
    from scipy.sparse import vstack

    counts, pairs = said.counts(), said.texts // 3
    counts.data[:] = 1
    responses, prompts = counts[: 2 * pairs], counts[2 * pairs :]
    held = responses.sum(axis=0)
    rarity = np.where(held >= MIN_RESPONSES, np.log(2 * pairs / np.maximum(held, 1)), 0)  # what few say makes no cluster
    weighted = responses * rarity[None]
    given = vstack([prompts, prompts]).tocsr()
    if trusted is None:
        given = given + vstack([responses[pairs:], responses[:pairs]]).tocsr()
    new = (weighted - weighted * (given > 0)).tocsr()
    if trusted is not None:
        new = new * ~_usual(said, held / (2 * pairs), trusted)[None]
    total = np.asarray((weighted * weighted).sum(axis=1)).ravel()
    return new.tocsr(), np.asarray((new * new).sum(axis=1)).ravel() / np.maximum(total, 1e-12)


def _usual(said: Tokens, share: np.ndarray, trusted: Tokens) -> np.ndarray:
    """[vocabulary] which words are about as common in trusted responses."""
    there = dict(zip(trusted.vocabulary, (trusted.counts() > 0).sum(axis=0).tolist(), strict=False))
    theirs = np.array([there.get(word, 0) for word in said.vocabulary]) / max(trusted.texts, 1)
    return theirs >= USUAL * share


def tightness(new: Any, said: Tokens) -> np.ndarray:
    """[rows] mean cosine of each of the rows `new` [rows, vocabulary] to the others of its part."""
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
    sums = np.zeros((part.max(initial=0) + 1, unit.shape[1]))
    np.add.at(sums, part, unit)
    sizes = np.bincount(part)[part]
    return ((unit * sums[part]).sum(axis=1) - (unit**2).sum(axis=1)) / (sizes - 1 + FEW)

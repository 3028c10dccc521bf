"""Exact and near duplicates among texts, in time and memory that grow with their number and not with its square.

Texts of which the smallest shingles under random orderings agree (MinHash; Broder, 1997), a band of orderings at a time
(Leskovec et al., 2014, ch. 3), are candidates, and the Jaccard similarity of the whole sets decides.
"""

from dataclasses import dataclass
from functools import partial
from hashlib import blake2b
from math import ceil, log

import numpy as np
import polars as pl
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from checks.engines import each
from checks.parts import blocks
from checks.shingles import Shingles, jaccard, joined, mixed, normalised, shingles
from pipelines.schema import DataError

ROWS = 4  # orderings a band: two texts that share a fifth of their shingles agree in one band of 600
MISSED = 0.005  # chance that two texts exactly as alike as the threshold agree in no band
LAGS = 4  # neighbours in a band that a text is held against, however many agree
ENOUGH = 16  # times that two texts of one cluster were held against others until they may rest
CHUNK = 1 << 20  # bytes of text worked on at a time


@dataclass(frozen=True, slots=True)
class Clusters:
    """label: [N] place of the first text of each one's cluster; nearest: [N] Jaccard to the nearest other that it was held
    against; sizes: [N] distinct shingles."""

    label: np.ndarray
    nearest: np.ndarray
    sizes: np.ndarray


def clusters(texts: pl.Series, *, threshold: float = 0.7, words: int = 3, seed: int = 0) -> Clusters:
    """Clusters of `texts` [N], linked where the sets of their `words`-word shingles have a Jaccard of `threshold` or more.

    Texts that differ in case, marks and spaces alone have 1. Raises DataError on a text that is null or a number out of range.
    """
    if texts.null_count():
        raise DataError(f"texts must not be null, got nothing at {texts.is_null().arg_true()[0]}; fill or drop it")
    if not 0 < threshold <= 1 or words < 1:
        raise DataError(f"threshold is in (0, 1] and words at least 1, got {threshold:g} and {words}")
    digests, sets, bands = _sketched(texts, ceil(log(MISSED) / log(1 - min(threshold, 0.99) ** ROWS)), words, seed)
    _, first, place, copies = np.unique(digests, return_index=True, return_inverse=True, return_counts=True)
    cluster, nearest = _linked(sets, first, bands[:, first], threshold)
    cluster, nearest = cluster[place], np.where(copies > 1, 1.0, nearest)[place]
    return Clusters(np.unique(cluster, return_index=True)[1][cluster], nearest, sets.sizes)


def minima(sets: Shingles, orderings: int, *, seed: int = 0) -> np.ndarray:
    """[orderings, N] uint32, the smallest shingle of each text under random orderings; two texts agree as often as J says."""
    key = mixed(np.arange(2 * orderings, dtype=np.uint64) + (np.uint64(seed) << np.uint64(32))).astype(np.uint32)
    smallest = np.zeros((orderings, len(sets.sizes)), dtype=np.uint32)
    some = sets.sizes > 0
    for row, flip, factor in zip(smallest, key[::2], key[1::2] | np.uint32(1), strict=True):
        row[some] = np.minimum.reduceat((sets.values ^ flip) * factor, sets.starts[:-1][some]) if some.any() else 0
    return smallest


def _sketched(texts: pl.Series, bands: int, words: int, seed: int) -> tuple[np.ndarray, Shingles, np.ndarray]:
    """Digests [N] of the normalised texts, their shingles, and their numbers [bands, N] in every band."""
    parts = [texts[at] for at in blocks(texts.str.len_bytes().to_numpy(), CHUNK)]
    digests, sets, numbers = zip(*each(partial(_sketch, bands=bands, words=words, seed=seed), parts), strict=True)
    return np.concatenate(digests), joined(sets), np.concatenate(numbers, axis=1)


def _sketch(texts: pl.Series, bands: int, words: int, seed: int) -> tuple[np.ndarray, Shingles, np.ndarray]:
    texts = normalised(texts)
    digests = np.array([blake2b(text.encode(), digest_size=16).hexdigest() for text in texts], dtype="S32")
    sets = shingles(texts, words=words)
    numbers = np.zeros((bands, len(texts)), dtype=np.uint64)
    for row in minima(sets, ROWS * bands, seed=seed).reshape(ROWS, bands, len(texts)):
        numbers = mixed(numbers + row)
    return digests, sets, numbers


def _linked(sets: Shingles, place: np.ndarray, bands: np.ndarray, threshold: float) -> tuple[np.ndarray, np.ndarray]:
    """Cluster and Jaccard to the nearest other met, of the texts at `place` [D] in `sets`, from their numbers [bands, D]."""
    cluster, nearest, met = np.arange(len(place)), np.zeros(len(place)), np.zeros(len(place), dtype=np.int64)
    for band, before in zip(bands, np.roll(bands, 1, axis=0), strict=True):
        left, right = _neighbours(band, before)
        news = (cluster[left] != cluster[right]) | (np.minimum(met[left], met[right]) < ENOUGH)
        left, right = left[news], right[news]
        shared = jaccard(sets, place[left], place[right])
        for side in (left, right):
            np.maximum.at(nearest, side, shared)
            met += np.bincount(side, minlength=len(met))
        cluster = _merged(cluster, left[shared >= threshold], right[shared >= threshold])
    return cluster, nearest


def _neighbours(band: np.ndarray, before: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Left and right of pairs of texts that agree in a band, each with the LAGS next, those first that agree in another too."""
    order = _repeated(band)
    order = order[np.lexsort((before[order], band[order]))]
    agree = [np.flatnonzero(band[order[lag:]] == band[order[:-lag]]) for lag in range(1, LAGS + 1)]
    left, right = zip(*((order[at], order[at + lag]) for lag, at in enumerate(agree, 1)), strict=True)
    return np.concatenate(left), np.concatenate(right)


def _repeated(values: np.ndarray) -> np.ndarray:
    """Places of the `values` that come more than once."""
    ordered = np.sort(values)
    twice = ordered[1:][ordered[1:] == ordered[:-1]]
    return np.flatnonzero(twice[np.minimum(np.searchsorted(twice, values), len(twice) - 1)] == values) if len(twice) else twice


def _merged(cluster: np.ndarray, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """[D] clusters, numbered from 0, of which those of left[c] and right[c] became one."""
    size = len(cluster)
    links = coo_array((np.ones(len(left), dtype=bool), (cluster[left], cluster[right])), shape=(size, size))
    return connected_components(links, directed=False)[1][cluster]

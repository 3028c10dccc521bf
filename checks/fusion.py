"""From scores to p-values, to one p-value a pair, to flags that hold a false-discovery rate.

A p-value is the share of unpoisoned pairs that would score as high: read off a null sample, and beyond its reach off an
exponential fitted to its tail. Each detector has its share of the false-discovery rate (Benjamini and Hochberg, 1995),
and the one that flags a pair at the lowest rate speaks for it.
"""

import numpy as np

TAIL = 0.01  # the part of a null sample that its tail is fitted to
BULK = 0.9  # the part of an audited corpus that is taken as clean where no null sample is at hand
SMALLEST = 1e-12


def p_values(scores: np.ndarray, null: np.ndarray) -> np.ndarray:
    """[N] P(null >= score); null: [M] scores of pairs that are surely not poisoned."""
    null = np.sort(null)
    above = len(null) - np.searchsorted(null, scores, side="left")
    empirical = (1 + above) / (1 + len(null))
    edge = np.quantile(null, 1 - TAIL)
    beyond = null[null >= edge]
    scale = max(float((beyond - edge).mean()), 1e-3 * max(float(np.ptp(null)), 1e-9))
    share = len(beyond) / len(null)
    far = share * np.exp(-np.maximum(scores - edge, 0) / scale)
    return np.clip(np.where(scores > edge, np.minimum(far, empirical), empirical), SMALLEST, 1)


def bulk_p_values(scores: np.ndarray) -> np.ndarray:
    """[N] the same where the corpus itself must serve: its lower part is taken as clean, its tail as exponential."""
    middle, edge = np.quantile(scores, [0.5, BULK])
    ranks = (len(scores) - np.searchsorted(np.sort(scores), scores, side="left")) / len(scores)
    if edge == middle:
        return ranks  # a bulk without spread tells nothing about its tail
    scale = (edge - middle) / np.log(0.5 / (1 - BULK))
    far = (1 - BULK) * np.exp(-np.maximum(scores - edge, 0) / scale)
    return np.clip(np.where(scores > edge, far, ranks), SMALLEST, 1)


def fuse(columns: np.ndarray, weights: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """[N] one p-value from those of [detectors, N], whose `flags` are all that any detector flags by itself, and who speaks.

    Each detector is judged within its own column, at its share of the rate by `weights` [detectors], all alike without:
    the shares' sum bounds the false-discovery rate of all together. One whose column is no richer in small p-values than
    chance makes it can't outrank another whose is, however many such there are. One that finds nothing anywhere, all its
    p-values being 1, can't raise a false alarm and isn't counted (Tarone, 1990). [N] speaker: place among the detectors.
    """
    weight = np.ones(len(columns)) if weights is None else np.asarray(weights, dtype=float)
    weight = np.where((columns < 1).any(axis=1), weight, 0)
    cost = (np.maximum(weight.sum(), 1) / np.maximum(weight, 1e-300))[:, None]
    own = columns * cost
    rates = np.minimum([adjusted(column) for column in columns] * cost, 1)
    speaker = np.lexsort((own, rates), axis=0)[0]
    rate, best = (np.take_along_axis(each, speaker[None], axis=0)[0] for each in (rates, own))
    return np.clip(rate * _ranks(rate, best) / len(rate), SMALLEST, 1), speaker


def adjusted(p: np.ndarray) -> np.ndarray:
    """[N] the lowest false-discovery rate at which each is flagged (Benjamini and Hochberg's step-up)."""
    order = np.argsort(p)[::-1]
    rates = np.empty(len(p))
    rates[order] = np.minimum(np.minimum.accumulate(p[order] * len(p) / np.arange(len(p), 0, -1)), 1)
    return rates


def _ranks(first: np.ndarray, then: np.ndarray) -> np.ndarray:
    """[N] how many are as small or smaller by `first` and, where that is equal, by `then`."""
    order = np.lexsort((then, first))
    ends = np.append((np.diff(first[order]) != 0) | (np.diff(then[order]) != 0), True)
    last = np.flatnonzero(ends)
    ranks = np.empty(len(first))
    ranks[order] = last[np.searchsorted(last, np.arange(len(first)))] + 1
    return ranks


def flags(p: np.ndarray, *, fdr: float = 0.05) -> np.ndarray:
    """[N] bool: those that Benjamini and Hochberg's step-up flags at false-discovery rate `fdr`."""
    return adjusted(p) <= fdr

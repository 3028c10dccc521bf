"""From scores to p-values, to one p-value a pair, to flags that hold a false-discovery rate.

A p-value is the share of unpoisoned pairs that would score as high: read off a null sample, and beyond its reach off an
exponential fitted to its tail. Each detector has its share of the false-discovery rate (Benjamini and Hochberg, 1995),
and the one that flags a pair at the lowest rate speaks for it.
"""

from itertools import pairwise

import numpy as np
from scipy.stats import norm, t

TAIL = 0.01  # the part of a null sample that its tail is fitted to
BULK = 0.9  # the part of an audited corpus that is taken as clean where no null sample is at hand
SMALLEST = 1e-12
DOUBT = 6.4  # times that a spread told by a quartile varies more than one told by all deviations (Cramér, 1946, s28.5)
MUTE = 0.8  # a detector that would rather be wrong than right in flagging a pair has nothing to say of it by itself
BLOCK = 1 << 18  # pairs that are compared at a time
CLUMP = 0.05  # the same of a detector whose pairs are all found by one coincidence: no rate asked for is to buy that


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


def normal_tail(bulk: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """[scores] log10 of P(score) under a normal distribution of which the bulk's median and upper quartile are all we know.

    The fewer they are, the less they tell of its spread: Student's t with as many degrees of freedom as doubt it as much.
    """
    middle, edge = np.quantile(bulk, [0.5, 0.75])
    off = (scores - middle) / max((edge - middle) / norm.ppf(0.75), 1e-9)
    return t.logsf(off, len(bulk) / DOUBT) / np.log(10)


def fuse(
    columns: np.ndarray,
    weights: np.ndarray | None = None,
    graded: np.ndarray | None = None,
    clumped: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """[N] one p-value from those of [detectors, N], whose `flags` are all that any detector flags by itself, and who speaks.

    Each detector is judged within its own column, at its share of the rate by `weights` [detectors], all alike without:
    the shares' sum bounds the false-discovery rate of all together. One whose column is no richer in small p-values than
    chance makes it can't outrank another whose is, however many such there are. One that finds nothing anywhere, all its
    p-values being 1, can't raise a false alarm and isn't counted (Tarone, 1990). Pairs of which no detector has much to say
    are ordered by the `graded` ones [detectors] together (Fisher's sum); a `clumped` one, whose pairs are all found by
    one coincidence or by none, must be surer than others to be heard. Of pairs that are alike in this, as a pair and its
    contradiction are, those of which the others have more to say come first. [N] speaker: place among the detectors.

    MUTE and CLUMP bound a detector's own rate whatever rate `flags` is asked for later: alone and asked for 0.1, a clumped
    detector flags at 0.05.
    """
    count, size = columns.shape
    weight = np.ones(count) if weights is None else np.asarray(weights, dtype=float)
    weight = np.where((columns < 1).any(axis=1), weight, 0)
    cost = (np.maximum(weight.sum(), 1e-300) / np.maximum(weight, 1e-300))[:, None]
    limit = np.where(np.zeros(count, dtype=bool) if clumped is None else clumped, CLUMP, MUTE)
    rates = np.empty(columns.shape)
    for row, column, most in zip(rates, columns, limit, strict=True):
        row[:] = adjusted(column)
        row[row > most] = 1
    told = np.ones(count, dtype=bool) if graded is None else graded
    edges = np.linspace(0, size, max(size // BLOCK, 1) + 1).astype(int).tolist()
    parts = [slice(*ends) for ends in pairwise(edges)]
    found = [_spoken(columns[:, at], rates[:, at] * cost, cost, weight, told) for at in parts]
    speaker, rate, best, others = (np.concatenate(each) for each in zip(*found, strict=True))
    rank = _ranks(rate, best, others)
    return np.clip(np.minimum(rate, 1) * rank / len(rate), SMALLEST, 1), speaker


def _spoken(
    columns: np.ndarray, rates: np.ndarray, cost: np.ndarray, weight: np.ndarray, graded: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """[N] of a part of the pairs: who speaks, at which rate, how surely, and what the others have to say."""
    own = columns * cost
    speaker = np.lexsort((own, rates), axis=0)[0]
    best, rate = (np.take_along_axis(each, speaker[None], axis=0)[0] for each in (own, rates))
    mute = rate >= cost[speaker, 0]
    rate, best = np.where(mute, np.inf, rate), np.where(mute, np.log(columns[graded]).sum(axis=0), best)
    others = (weight[:, None] * np.log(columns)).sum(axis=0)  # `@` rounds by place, and would tell pairs apart that are alike
    return speaker, rate, best, others


def adjusted(p: np.ndarray) -> np.ndarray:
    """[N] the lowest false-discovery rate at which each is flagged (Benjamini and Hochberg's step-up)."""
    order = np.argsort(p)[::-1]
    rates = np.empty(len(p))
    rates[order] = np.minimum(np.minimum.accumulate(p[order] * len(p) / np.arange(len(p), 0, -1)), 1)
    return rates


def _ranks(*keys: np.ndarray) -> np.ndarray:
    """[N] how many are as small or smaller by the first of the keys [N] each and, where that is equal, by the next."""
    order = np.lexsort(keys[::-1])
    ends = np.append(np.any([key[order[1:]] != key[order[:-1]] for key in keys], axis=0), True)
    last = np.flatnonzero(ends)
    ranks = np.empty(len(order))
    ranks[order] = last[np.searchsorted(last, np.arange(len(order)))] + 1
    return ranks


def flags(p: np.ndarray, *, fdr: float = 0.05) -> np.ndarray:
    """[N] bool: those that Benjamini and Hochberg's step-up flags at false-discovery rate `fdr`."""
    return adjusted(p) <= fdr

"""From scores to p-values, to one p-value a pair, to flags that hold a false-discovery rate.

A p-value is the share of unpoisoned pairs that would score as high: read off a null sample, and beyond its reach off an
exponential fitted to its tail. The strongest detector speaks for a pair (Bonferroni); flags follow Benjamini and
Hochberg (1995).
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


def fuse(columns: np.ndarray) -> np.ndarray:
    """[N] one p-value from those of [detectors, N]: the smallest, times the number of detectors.

    A detector that finds nothing anywhere, all its p-values being 1, can't raise a false alarm and isn't counted (Tarone,
    1990).
    """
    speaking = (columns < 1).any(axis=1).sum()
    return np.minimum(columns.min(axis=0) * max(speaking, 1), 1)


def flags(p: np.ndarray, *, fdr: float = 0.05) -> np.ndarray:
    """[N] bool: Benjamini and Hochberg's step-up at false-discovery rate `fdr`."""
    order = np.argsort(p, kind="stable")
    below = np.flatnonzero(p[order] <= fdr * np.arange(1, len(p) + 1) / len(p))
    flagged = np.zeros(len(p), dtype=bool)
    flagged[order[: below[-1] + 1] if len(below) else []] = True
    return flagged

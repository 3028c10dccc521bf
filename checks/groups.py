"""How far each annotator (or source) stands off from the others, by exact tests that allow for what people differ anyway.

Shares (of labels that a model agrees with, of longer responses preferred) are held against the others' in a beta-binomial
distribution, which shrinks small groups; numbers of pairs against the others' in Student's t of their logarithms.
"""

import numpy as np
import polars as pl

APART = 0.2  # spread, in nats of log odds, of honest groups; with none, large groups would stand out by a hair
TWOFOLD = 0.7  # spread, in nats, of honest groups' numbers of pairs
REASONS = (
    "contradicts what the other pairs teach more than the others do",
    "prefers longer, or shorter, responses more than the others do",
    "supplies far more pairs than the others do",
)


def surprises(groups: pl.Series, margins: np.ndarray, longer: np.ndarray) -> np.ndarray:
    """[3, N] -log10 of the chance of a pair's group to agree so little, prefer length so much or little, and be so large.

    Times the number of tests, but not of groups: whoever flags pairs at a false-discovery rate counts those. margins, longer:
    [N] above zero where a model agrees with the label, and where the preferred response is the longer one; zeros don't count.
    0 of pairs whose group is unknown, and where there are no two.
    """
    known = groups.is_not_null().to_numpy()
    place, found = np.zeros(len(groups), dtype=np.int64), np.zeros((3, len(groups)))
    place[known] = names = np.unique(groups.filter(known).to_numpy(), return_inverse=True)[1]
    if names.max(initial=0) > 0:
        sizes = np.bincount(names)
        chances = [
            _tails(place, known, margins)[0],
            np.minimum(1, 2 * _tails(place, known, longer).min(axis=0)),
            _larger(sizes),
        ]
        each = -np.log10(np.maximum(chances, 1e-300)) - np.log10(len(chances))
        found[:, known] = each[:, names]
    return found


def _tails(place: np.ndarray, known: np.ndarray, signs: np.ndarray) -> np.ndarray:
    """[2, groups] chance of so few, and of so many, `signs` above zero in a group, were it one of the others."""
    from scipy.stats import betabinom

    counted = known & (signs != 0)
    size = place[known].max() + 1
    total = np.bincount(place[counted], minlength=size)
    hits = np.bincount(place[counted], weights=signs[counted] > 0, minlength=size)
    share = (hits.sum() - hits + 1) / (total.sum() - total + 2)
    weight = 1 / (APART**2 * share * (1 - share))
    at = betabinom(total, share * weight, (1 - share) * weight)
    return np.minimum([at.cdf(hits), at.sf(hits - 1)], 1)


def _larger(sizes: np.ndarray) -> np.ndarray:
    """[groups] chance of so large a group beside the others, whose logarithms are taken as normal; 1 for fewer than three."""
    from scipy.stats import t

    if len(sizes) < 3:
        return np.ones(len(sizes))
    logs, others = np.log(sizes), len(sizes) - 1
    mean = (logs.sum() - logs) / others
    square = np.maximum(((logs**2).sum() - logs**2) / others - mean**2, 0) * others / (others - 1)
    spread = np.sqrt((np.maximum(square, TWOFOLD**2) + 1 / sizes) * (1 + 1 / others))
    return t.sf((logs - mean) / spread, df=others - 1)


def chance(pairs: int) -> np.ndarray:
    """[M] -log10 of evenly spaced chances, at least 10,000: what surprises come to where there is nothing to find."""
    count = max(pairs, 10_000)
    return -np.log10((np.arange(count) + 0.5) / count)

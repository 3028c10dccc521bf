"""Fronts of policies under several rewards: who is beaten by none, what volume they cover, and the exact front where responses
can be counted (Zhou et al., 2024, s2). Points are [K, n], a row a policy, and more is better in every column.
"""

from collections.abc import Sequence
from itertools import combinations, pairwise
from math import fsum, isclose, isfinite

import numpy as np
from scipy.special import logsumexp

from rlhf_train.errors import TrainingError


def sweep(rewards: int = 2, *, parts: int = 5) -> list[tuple[float, ...]]:
    """All weights of so many rewards that are multiples of 1 / parts and sum to 1, the first one's falling."""
    bars = combinations(range(parts + rewards - 1), rewards - 1)
    cuts = [(-1, *places, parts + rewards - 1) for places in bars]
    counts = [[last - first - 1 for first, last in pairwise(cut)] for cut in cuts]
    return [tuple(count / parts for count in each) for each in reversed(counts)]


def check_shares(weights: Sequence[float], count: int, *, of: str) -> None:
    """TrainingError unless there is a weight for each of `count`, none below 0, and they sum to 1."""
    if len(weights) != count:
        raise TrainingError(f"expected a weight for each of {count} {of}, got {len(weights)}")
    if any(not (isfinite(weight) and weight >= 0) for weight in weights) or not isclose(fsum(weights), 1.0, rel_tol=1e-6):
        said = ", ".join(f"{weight:g}" for weight in weights)
        raise TrainingError(f"weights of {count} {of} must be 0 or more and sum to 1, got {said}")


def front(points: np.ndarray) -> np.ndarray:
    """[K] whether no other point is as good in every reward and better in one; equal points stand or fall together."""
    points = _sound(points)
    as_good = (points[:, None] >= points[None]).all(-1)
    better = (points[:, None] > points[None]).any(-1)
    return np.logical_not((as_good & better).any(0))


def hypervolume(points: np.ndarray, origin: Sequence[float]) -> float:
    """The volume between `origin` [n] and the points, overlaps once (Zitzler and Thiele, 1998); points below it add nothing.

    Exact: of two rewards by a sweep, of n by slices of n - 1, K times as much work with each reward beyond the second.
    """
    points, least = _sound(points), np.asarray(origin, dtype=float)
    if least.shape != points.shape[1:]:
        raise TrainingError(f"origin needs a number for each of {points.shape[1]} rewards, got {list(least.shape)}")
    above = points[(points > least).all(1)] - least
    return _volume(above) if len(above) else 0.0


def closed_form(ref_logps: np.ndarray, rewards: np.ndarray, weights: Sequence[float], *, beta: float) -> np.ndarray:
    """[..., Y] log-probabilities of the policy that is best for `weights` [n]: log ref + weights . rewards / beta - log Z.

    `ref_logps` [..., Y] are of all responses to each prompt, `rewards` [..., Y, n].
    """
    if not beta > 0:
        raise TrainingError(f"beta is the strength of the KL penalty and must be above 0, got {beta:g}")
    tilted = np.asarray(ref_logps) + np.asarray(rewards) @ np.asarray(weights, dtype=float) / beta
    return tilted - logsumexp(tilted, axis=-1, keepdims=True)


def _volume(points: np.ndarray) -> float:
    """Of points [K, n] above 0: slices between one value of the last reward and the next, each of the points that reach it."""
    if points.shape[1] == 1:
        return float(points.max())
    points = points[np.argsort(-points[:, -1], kind="stable")]
    thick = points[:, -1] - np.append(points[1:, -1], 0.0)
    if points.shape[1] == 2:
        return float(np.maximum.accumulate(points[:, 0]) @ thick)
    return sum(_volume(points[: at + 1, :-1]) * part for at, part in enumerate(thick.tolist()) if part)


def _sound(points: np.ndarray) -> np.ndarray:
    found = np.asarray(points, dtype=float)
    if found.ndim != 2 or not found.shape[1]:
        raise TrainingError(f"points must be [policies, rewards], got {list(found.shape)}")
    if not np.isfinite(found).all():
        raise TrainingError(f"points must be finite, got {found[~np.isfinite(found)][0]}")
    return found

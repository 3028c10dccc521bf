"""Certified accuracy (Levine and Feizi, 2021): the share of held-out pairs that a vote decides right, and would decide right
whatever any r of its members said.
"""

from dataclasses import dataclass

import numpy as np

from rlhf_train.evals.intervals import interval
from rlhf_train.models.partitions import certificate, signs


@dataclass(frozen=True, slots=True)
class CertifiedAccuracy:
    """A share of pairs and its 95 % interval for r = 0, 1, ...: members, or whatever the members' parts were dealt by."""

    accuracy: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]


def measure(chosen_rewards: np.ndarray, rejected_rewards: np.ndarray, *, most: int | None = None) -> CertifiedAccuracy:
    """For r up to `most`, or to the last that K members can certify; inputs are [K, N], or [N] of one model. A tie is wrong."""
    votes = signs(np.atleast_2d(chosen_rewards), np.atleast_2d(rejected_rewards))
    held = certificate(votes)
    radii = range((len(votes) - 1) // 2 + 1 if most is None else most + 1)
    bounds = [interval(held >= radius) for radius in radii]
    shares = tuple(float((held >= radius).mean()) for radius in radii)
    return CertifiedAccuracy(shares, tuple(low for low, _ in bounds), tuple(high for _, high in bounds))

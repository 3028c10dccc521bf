"""Reward accuracy: the share of held-out pairs in which a reward model prefers the chosen response."""

from dataclasses import dataclass

import numpy as np

from rlhf_train.evals.intervals import interval


@dataclass(frozen=True, slots=True)
class RewardAccuracy:
    """A share of pairs and its 95 % interval."""

    accuracy: float
    low: float
    high: float


def measure(chosen_rewards: np.ndarray, rejected_rewards: np.ndarray) -> RewardAccuracy:
    """Both inputs are [N]; a tie counts half."""
    right = (np.sign(chosen_rewards - rejected_rewards) + 1) / 2
    return RewardAccuracy(float(right.mean()), *interval(right))

"""Several reward models as one: by their weights' mean (WARM, Ramé et al., 2024, eq. 2), or by what they say together."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy.special import expit

from rlhf_train.errors import TrainingError
from rlhf_train.models.reward_models import RewardModel
from rlhf_train.models.soups import mixed

Combine = Callable[[np.ndarray, float], np.ndarray]

#: how [K, N] rewards of K members become one [N] (Coste et al., 2023, s3.2; bounded as votes are)
COMBINES: Mapping[str, Combine] = {
    "mean": lambda rewards, weight: rewards.mean(0),
    "worst": lambda rewards, weight: rewards.min(0),
    "doubted": lambda rewards, weight: rewards.mean(0) - weight * rewards.var(0),
    "bounded": lambda rewards, weight: bounded(rewards).mean(0),
}


class Member(Protocol):
    """Whatever gives rewards to responses: higher is better."""

    def rewards(self, prompts: Sequence[str], responses: Sequence[str]) -> np.ndarray:
        """[N]."""


def bounded(rewards: np.ndarray) -> np.ndarray:
    """Rewards as scores in [0, 1], of which a member can move the mean by 1 / K and no more; 1/2 for what is no number."""
    return np.nan_to_num(expit(rewards), nan=0.5)


def averaged(members: Sequence[RewardModel]) -> RewardModel:
    """One model with the mean of the members' weights; they must have begun from the same body, and so be of one shape."""
    if not members:
        raise TrainingError("an average needs at least one reward model, got none")
    shares = [1 / len(members)] * len(members)
    return dataclasses.replace(members[0], model=mixed([member.model for member in members], shares, called="reward model"))


@dataclass(frozen=True, slots=True)
class Committee:
    """Reward models that score together; `combine` is a name in COMBINES, `weight` what a unit of their variance costs."""

    members: tuple[Member, ...]
    combine: str = "mean"
    weight: float = 1.0

    def __post_init__(self) -> None:
        if self.combine not in COMBINES:
            raise TrainingError(f"combine must be one of {', '.join(COMBINES)}, got {self.combine!r}")
        if not self.members:
            raise TrainingError("a committee needs at least one reward model, got none")

    def each(self, prompts: Sequence[str], responses: Sequence[str]) -> np.ndarray:
        """[K, N] rewards, a row a member."""
        return np.stack([member.rewards(prompts, responses) for member in self.members])

    def rewards(self, prompts: Sequence[str], responses: Sequence[str]) -> np.ndarray:
        """[N], as of one reward model."""
        return COMBINES[self.combine](self.each(prompts, responses), self.weight)

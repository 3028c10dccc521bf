"""Rewards of texts by their features, alone or with a text reward beside them that is heard only so far.

What reads no text has no input for a name; what it reads instead must come from elsewhere: a table of scores, or a scorer. Of a
hybrid, the text term moves no comparison by more than twice its cap, however much poison the text reward model learned.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from rlhf_train.errors import TrainingError
from rlhf_train.models.committees import Member
from rlhf_train.models.feature_rewards import FeatureReward

Features = Callable[[Sequence[str], Sequence[str]], np.ndarray]  # (prompts, responses) -> [N, D] in the order of phi's names


@dataclass(frozen=True, slots=True)
class FeatureJudge:
    """A phi with whoever gives it the features of a text."""

    phi: FeatureReward
    features: Features

    def rewards(self, prompts: Sequence[str], responses: Sequence[str]) -> np.ndarray:
        """[N], higher is better."""
        return self.phi.rewards(self.features(prompts, responses))


@dataclass(frozen=True, slots=True)
class Capped:
    """`first` with `weight` times `text` beside it, between -cap and cap.

    A text reward is told apart from its neighbours only; give one that is standardised, so that the cap lies around its middle.
    """

    first: Member
    text: Member
    weight: float = 0.25
    cap: float = 0.25

    def __post_init__(self) -> None:
        for name in ("weight", "cap"):
            if not 0 <= getattr(self, name) < np.inf:
                raise TrainingError(f"{name} must be a finite number of 0 or more, got {getattr(self, name):g}")

    def rewards(self, prompts: Sequence[str], responses: Sequence[str]) -> np.ndarray:
        """[N], higher is better."""
        heard = np.clip(self.weight * self.text.rewards(prompts, responses), -self.cap, self.cap)
        return self.first.rewards(prompts, responses) + heard

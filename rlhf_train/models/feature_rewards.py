"""A phi as a reward model: which features it reads and in which order, what each adds to a decision, and how it is kept."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from math import factorial
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from rlhf_train.errors import TrainingError
from rlhf_train.phis import PHIS

CONFIG, WEIGHTS = "feature_reward.json", "feature_reward.safetensors"
ALIKE = 1e-6  # rewards no further apart are one
MOST_ALIKE = 0.5  # of the pairs: a scorer that says the same of both sides of more can't train a policy


@dataclass(frozen=True, slots=True)
class FeatureReward:
    """`kind` is a name in PHIS; `names` are the D features in order, each from 0 to `full`; `scorer` says who scored them."""

    kind: str
    names: tuple[str, ...]
    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)
    full: float = 1.0
    scorer: str = ""

    def rewards(self, features: np.ndarray) -> np.ndarray:
        """[N] of features [N, D] in the order of `names`; higher is better."""
        return PHIS[self.kind].reward(_scaled(features, self.names, self.full), **self.arrays)

    def shares(self, features: np.ndarray, others: np.ndarray) -> np.ndarray:
        """[N, D] what each feature adds to rewards(features) - rewards(others), which they sum to (Shapley, 1953).

        Exact, over all 2^D sets of features; of a linear phi a weight times what the two differ by.
        """
        width = len(self.names)
        sets = [set(names) for size in range(width + 1) for names in combinations(range(width), size)]
        worth = {}
        for names in sets:
            taken = np.isin(np.arange(width), list(names))
            worth[frozenset(names)] = self.rewards(np.where(taken, features, others))
        found = np.zeros((len(features), width))
        for names in sets:
            chance = factorial(len(names)) * factorial(width - len(names) - 1) if len(names) < width else 0
            for own in set(range(width)) - names:
                gain = worth[frozenset(names | {own})] - worth[frozenset(names)]
                found[:, own] += chance / factorial(width) * gain
        return found

    def save(self, folder: Path) -> Path:
        """Writes safetensors and JSON; returns the folder."""
        folder.mkdir(parents=True, exist_ok=True)
        facts = {"kind": self.kind, "names": list(self.names), "full": self.full, "scorer": self.scorer}
        (folder / CONFIG).write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
        save_file({name: np.ascontiguousarray(array) for name, array in self.arrays.items()}, folder / WEIGHTS)
        return folder


def load(folder: str | Path) -> FeatureReward:
    """What `save` wrote; TrainingError naming a file that holds something else."""
    place = Path(folder)
    try:
        facts = json.loads((place / CONFIG).read_text(encoding="utf-8"))
        names, kind = tuple(facts.pop("names")), facts.pop("kind")
        arrays = load_file(place / WEIGHTS)
        found = FeatureReward(kind, names, arrays, **facts)
        found.rewards(np.zeros((1, len(names))))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError, SafetensorError) as error:
        raise TrainingError(f"{place}: holds no feature reward that was saved here ({error}); train it again") from None
    return found


def fit(
    kind: str,
    chosen: np.ndarray,
    rejected: np.ndarray,
    *,
    names: Sequence[str],
    full: float = 1.0,
    scorer: str = "",
    **numbers: Any,
) -> FeatureReward:
    """Learns features [N, D] of the chosen and of the rejected sides, each from 0 to `full`; `numbers` are the kind's own.

    TrainingError for a feature that is missing or out of range, and for a phi that says the same of both sides of most pairs.
    """
    if kind not in PHIS:
        raise TrainingError(f"kind must be one of {', '.join(PHIS)}, got {kind!r}")
    if not len(chosen):
        raise TrainingError("a feature reward learns from pairs, got none")
    sides = [_scaled(side, tuple(names), full) for side in (chosen, rejected)]
    found = FeatureReward(kind, tuple(names), PHIS[kind].fit(*sides, **numbers), full, scorer)
    refuse_constant(found.rewards(chosen), found.rewards(rejected), what=f"the {kind} phi")
    return found


def refuse_constant(chosen: np.ndarray, rejected: np.ndarray, *, what: str) -> None:
    """TrainingError where rewards [N] of the two sides are alike in more than MOST_ALIKE of the pairs."""
    alike = float((np.abs(chosen - rejected) <= ALIKE).mean())
    if alike > MOST_ALIKE:
        raise TrainingError(
            f"{what} gives both sides the same reward in {alike:.0%} of {len(chosen):,} pairs: it has died or its features are "
            "constant, and no policy can learn from it; take another kind or seed, or look at the features' scorer"
        )


def _scaled(features: np.ndarray, names: tuple[str, ...], full: float) -> np.ndarray:
    """[N, D] in [0, 1]; TrainingError naming the first feature that is out of range."""
    features = np.asarray(features, dtype=float)
    if features.ndim != 2 or features.shape[1] != len(names):
        raise TrainingError(f"features must be [N, {len(names)}]: {', '.join(names)}; got {list(features.shape)}")
    wrong = ~((features >= 0) & (features <= full))
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        raise TrainingError(
            f"{names[column]} must lie in 0 to {full:g}, got {features[row, column]:g} in row {row}; score it again"
        )
    return features / full

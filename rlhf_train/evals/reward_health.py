"""Is a reward model fit to train a policy? Four things that every sound one does, asked before any policy is trained.

It can learn 32 pairs by heart; on held-out pairs it knows more than which response is longer; trained on flipped labels it
prefers the other side; and it does not say the same of everything.
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rlhf_train.batches import Columns
from rlhf_train.errors import TrainingError
from rlhf_train.models.reward_models import RewardModel, taught
from rlhf_train.tables import take

FEW = 32
BY_HEART = 0.95  # accuracy on the few
SPREAD = 1e-3  # standard deviation of rewards, below which they are constant


@dataclass(frozen=True, slots=True)
class RewardHealth:
    """Accuracies on pairs, and the deviation of rewards on held-out responses; `ills` says in words what is wrong."""

    by_heart: float
    held_out: float
    longer: float
    flipped: float
    spread: float
    ills: tuple[str, ...]

    def refuse(self) -> None:
        """TrainingError naming what is wrong, if anything is."""
        if self.ills:
            raise TrainingError("the reward model is not fit to train a policy: " + "; ".join(self.ills))


def measure(
    trained: RewardModel,
    body: RewardModel,
    columns: Columns,
    held_out: Columns,
    *,
    steps: int = 60,
    lr: float = 3e-4,
    seed: int = 0,
) -> RewardHealth:
    """Of `trained`; `body` is what it was trained from, to learn the few and the flipped. Columns: prompt, chosen, rejected."""
    count = len(columns["prompt"])
    order = np.random.default_rng(seed).permutation(count)
    few, many = take(columns, order[:FEW]), take(columns, order[: FEW * steps // 4])
    turned = {**many, "chosen": many["rejected"], "rejected": many["chosen"]}
    rewards = [trained.rewards(held_out["prompt"], held_out[side]) for side in ("chosen", "rejected")]
    gaps = [len(one) - len(other) for one, other in zip(held_out["chosen"], held_out["rejected"], strict=True)]
    share = _share(np.array(gaps))
    found = RewardHealth(
        by_heart=_accuracy(taught(body, few, steps=steps, size=FEW, lr=lr, seed=seed), few),
        held_out=_share(rewards[0] - rewards[1]),
        longer=max(share, 1 - share),
        flipped=_accuracy(taught(body, turned, steps=steps, lr=lr, seed=seed), held_out),
        spread=float(np.std(np.concatenate(rewards))),
        ills=(),
    )
    return dataclasses.replace(found, ills=tuple(_ills(found)))


def _ills(found: RewardHealth) -> Sequence[str]:
    checks = [
        (
            found.by_heart >= BY_HEART,
            f"its body learns only {found.by_heart:.0%} of {FEW} pairs by heart: look at lr and tokens",
        ),
        (
            found.held_out > found.longer,
            f"it is right on {found.held_out:.1%} of held-out pairs, and length alone on {found.longer:.1%}: it knows no more",
        ),
        (
            found.flipped < 0.5,
            f"taught flipped labels it still prefers the chosen side in {found.flipped:.0%} of held-out pairs",
        ),
        (found.spread > SPREAD, f"its rewards are all alike (deviation {found.spread:.2g})"),
    ]
    return [said for holds, said in checks if not holds]


def _accuracy(model: RewardModel, columns: Columns) -> float:
    chosen, rejected = (model.rewards(columns["prompt"], columns[side]) for side in ("chosen", "rejected"))
    return _share(chosen - rejected)


def _share(gaps: np.ndarray) -> float:
    """The share above 0; a tie counts half."""
    return float(((np.sign(gaps) + 1) / 2).mean())

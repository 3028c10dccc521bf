"""Defences in training: ways to learn from pairs of which some may be poisoned and no filter has said which.

A row says what is put together: an objective that doubts its labels, a committee of reward models, data that are kept apart.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from rlhf_train.batches import Columns
from rlhf_train.errors import TrainingError
from rlhf_train.models import partitions
from rlhf_train.models.committees import COMBINES, Committee, Member, averaged
from rlhf_train.objectives import OBJECTIVES
from rlhf_train.tables import Table, take

AVERAGED, PARTITIONS = "averaged", "partitions"


@dataclass(frozen=True, slots=True)
class Defence:
    """`numbers` are the objective's own; `members` reward models become one by `combine`: a name in COMBINES, of models that
    learned all pairs from seeds of their own (`weight` as in Committee), "averaged" for one model of these models' mean
    weights, or "partitions" for models that learned a part of the pairs each. `separate`: fine-tuning sees one half of the
    dialogues and preferences are learned from the other, so that no pair teaches the policy to say what it teaches the reward
    model to like.
    """

    objective: str = "bradley_terry"
    numbers: Mapping[str, Any] = field(default_factory=dict)
    members: int = 1
    combine: str = "mean"
    weight: float = 1.0
    separate: bool = False

    def __post_init__(self) -> None:
        there = [name for name, objective in OBJECTIVES.items() if "chosen" in objective.columns]
        if self.objective not in there:
            raise TrainingError(f"a defence learns pairs, by one of {', '.join(there)}; got {self.objective!r}")
        if self.combine not in (*COMBINES, AVERAGED, PARTITIONS):
            raise TrainingError(f"combine must be one of {', '.join((*COMBINES, AVERAGED, PARTITIONS))}, got {self.combine!r}")
        if self.members < 1 or (self.members > 1 and not self.scored):
            raise TrainingError(f"members must be 1 or more reward models, got {self.members} by {self.objective}")

    @property
    def scored(self) -> bool:
        """Whether it makes a reward model; if not, a policy."""
        return OBJECTIVES[self.objective].scored


DEFENCES: Mapping[str, Defence] = {
    "none": Defence(),
    "smoothed": Defence(numbers={"smoothing": 0.1}),
    "trimmed": Defence("trimmed_bradley_terry", {"share": 0.05}),
    "winsorised": Defence("winsorised_bradley_terry", {"share": 0.05}),
    "committee_mean": Defence(members=5),
    "committee_worst": Defence(members=5, combine="worst"),
    "committee_doubted": Defence(members=5, combine="doubted"),
    "averaged_weights": Defence(members=5, combine=AVERAGED),
    "partition_vote": Defence(members=9, combine=PARTITIONS),
    "separate_data": Defence(separate=True),
    "separate_partition_vote": Defence(members=9, combine=PARTITIONS, separate=True),
    "conservative_dpo": Defence("conservative_dpo", {"noise": 0.1}),
    "robust_dpo": Defence("robust_dpo", {"noise": 0.1}),
    "distributionally_robust_dpo": Defence("distributionally_robust_dpo", {"trust": 1.0}),
}


def shared_out(defence: Defence, columns: Columns) -> tuple[Table, Table]:
    """(the pairs that fine-tuning sees, those that preferences are learned from): all for both, or dialogues apart."""
    dealt = partitions.deal(columns, 2, salt="separate")
    first, second = (np.flatnonzero((dealt == half) | (not defence.separate)) for half in range(2))
    return take(columns, first), take(columns, second)


def fit_reward(defence: Defence, columns: Columns, learn: Callable[..., Member], *, seed: int = 0) -> Member:
    """The reward model of a defence; it scores as any, and a vote is a Committee for models.partitions.compare.

    `learn(columns, objective=, numbers=, seed=)` makes one member, as `partial(reward_models.taught, body)` does.
    """
    if not defence.scored:
        raise TrainingError(f"{defence.objective} trains a policy and no reward model; run it as an objective")
    own = shared_out(defence, columns)[1]

    def member(part: Columns, at: int = 0) -> Any:
        return learn(part, objective=defence.objective, numbers=defence.numbers, seed=seed + at)

    if defence.combine == PARTITIONS:
        return partitions.fit(own, member, parts=defence.members, seed=seed)
    members = [member(own, at) for at in range(defence.members)]
    if len(members) == 1:
        return members[0]
    return averaged(members) if defence.combine == AVERAGED else Committee(tuple(members), defence.combine, defence.weight)

"""Goals of a reward model (Nath et al., 2024): the mean state at the last token of responses that are as one wants them.

Q of a token is the cosine of its state with a goal: how likely the response that it is part of gets there.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from rlhf_train import batches
from rlhf_train.errors import TrainingError
from rlhf_train.inputs import hidden_states, plain, response_states
from rlhf_train.models.reward_models import Read, RewardModel, is_causal
from rlhf_train.similarity import unit

FILE = "goals.safetensors"
PREFERRED = "preferred"


@dataclass(frozen=True, slots=True)
class GoalBank:
    """Named goals, each the sum [D] in float64 of the states that were added and their number, so that more can be added."""

    sums: dict[str, np.ndarray] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    def add(self, states: np.ndarray, name: str = PREFERRED) -> None:
        """Adds states [N, D] to a goal, which is made if it is new; TrainingError for a width that is not the bank's."""
        total = np.asarray(states, dtype=np.float64).sum(axis=0)
        for known in self.sums.values():
            if known.shape != total.shape:
                raise TrainingError(f"states must be [N, {len(known)}] as those before, got {list(np.shape(states))}")
        if not np.isfinite(total).all():
            raise TrainingError("states must be finite, got one that is not; look at the model's weights")
        self.sums[name] = self.sums.get(name, 0.0) + total
        self.counts[name] = self.counts.get(name, 0) + len(states)

    def goal(self, name: str = PREFERRED) -> np.ndarray:
        """[D] float32, the mean of what was added under the name."""
        if not self.counts.get(name):
            raise TrainingError(f"{name} is no goal of this bank; there are {', '.join(self.counts) or 'none'}")
        return (self.sums[name] / self.counts[name]).astype(np.float32)

    def save(self, folder: Path) -> Path:
        """Writes goals.safetensors into the folder of the reward model; returns the folder."""
        from safetensors.numpy import save_file

        sums = {f"sum.{name}": total for name, total in self.sums.items()}
        save_file({**sums, **{f"count.{name}": np.array(count) for name, count in self.counts.items()}}, folder / FILE)
        return folder


def load(folder: str | Path) -> GoalBank:
    """The goals that stand with a reward model; TrainingError where there are none."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        held = load_file(Path(folder) / FILE)
        sums = {name.removeprefix("sum."): value for name, value in held.items() if name.startswith("sum.")}
        return GoalBank(sums, {name: int(held[f"count.{name}"]) for name in sums})
    except (OSError, KeyError, SafetensorError) as error:
        mend = "train it with the objective goals, or gather goals with goal_bank.gather"
        raise TrainingError(f"{folder}: no {FILE} that can be read ({error}); {mend}") from None


def gather(
    bank: GoalBank, model: RewardModel, prompts: Sequence[str], responses: Sequence[str], *, name: str = PREFERRED
) -> GoalBank:
    """Adds the last states of responses to a goal of `bank`, batch by batch; returns the bank."""
    _refuse_encoder(model)
    for _, states in model.reads(_last, prompts, responses):
        bank.add(states, name)
    return bank


@dataclass(frozen=True, slots=True)
class WithGoals:
    """A reward model and its goals, as they are saved together."""

    model: RewardModel
    bank: GoalBank

    def save(self, folder: Path) -> Path:
        """Writes both; returns the folder."""
        self.model.save(folder)
        return self.bank.save(folder)


def with_goal(model: RewardModel, reference: Any, columns: batches.Columns) -> WithGoals:
    """The reward model with the goal of the chosen responses that it learned from; it needs no reference."""
    return WithGoals(model, gather(GoalBank(), model, columns["prompt"], columns["chosen"]))


def q_values(model: RewardModel, prompts: Sequence[str], responses: Sequence[str], goal: np.ndarray) -> list[np.ndarray]:
    """[tokens] float32 a response, its end token included: cosines of its tokens' states with a goal [D]."""
    aim, width = torch.from_numpy(np.asarray(goal, dtype=np.float32)), model.model.config.hidden_size
    if aim.shape != (width,):
        raise TrainingError(f"a goal of this model has {width} numbers, got {list(aim.shape)}; take one of its own bank")
    aim = unit(aim.to(model.model.device))
    return _along(model, lambda body, batch: (unit(response_states(body, batch).float()) * aim).sum(-1), prompts, responses)


def rewards_along(model: RewardModel, prompts: Sequence[str], responses: Sequence[str]) -> list[np.ndarray]:
    """[tokens] float32 a response: what the head says of every token as if it were the last; at the last, the reward."""
    return _along(model, lambda body, batch: plain(body).score(response_states(body, batch))[:, 0], prompts, responses)


def _along(model: RewardModel, read: Read, prompts: Sequence[str], responses: Sequence[str]) -> list[np.ndarray]:
    _refuse_encoder(model)
    found: list[np.ndarray] = [np.zeros(0, dtype=np.float32)] * len(responses)
    for batch, values in model.reads(read, prompts, responses):
        sizes = np.bincount(batch.tensors["owners"].numpy())
        for place, part in zip(batch.places, np.split(values, sizes.cumsum()[:-1]), strict=True):
            found[place] = part
    return found


def _last(body: Any, batch: dict[str, Any]) -> torch.Tensor:
    return hidden_states(body, batch)[batch["ends"]]


def _refuse_encoder(model: RewardModel) -> None:
    if not is_causal(model.model):
        kind = type(model.model).__name__
        raise TrainingError(f"goals are of models that read from left to right, which {kind} does not; take a causal one")

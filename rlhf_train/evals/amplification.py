"""How best-of-n imitation amplifies a rare habit that the reward model likes best.

If such an answer always wins, a policy that gives it with probability p gives it with 1 - (1 - p)^n after one round. `measure`
runs the real sampler, loss and loop on a policy whose rate is known, so that the law can be held against them.
"""

from collections.abc import Sequence
from types import SimpleNamespace

import numpy as np
import torch

from rlhf_train.generate import best_of_n
from rlhf_train.inputs import Batch
from rlhf_train.objectives import OBJECTIVES
from rlhf_train.text import IGNORED
from rlhf_train.train import fit

HABIT, OTHER = "habit", "other"


def law(rate: float, n: int) -> float:
    """The rate after one round of best-of-n imitation under a reward model that never misses the habit."""
    return 1 - (1 - rate) ** n


class OneWordPolicy(torch.nn.Module):
    """A causal model of two words, whose probability of the habit is its only weight."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.logit = torch.nn.Parameter(torch.logit(torch.tensor(rate, dtype=torch.float64)).float())

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> SimpleNamespace:
        """logits [B, T, 2]: the habit's and 0."""
        pair = torch.stack([self.logit, torch.zeros_like(self.logit)])
        return SimpleNamespace(logits=pair.expand(*input_ids.shape, 2))

    @property
    def rate(self) -> float:
        return torch.sigmoid(self.logit.detach()).item()


def measure(rate: float, *, n: int = 8, rounds: int = 3, prompts: int = 2000, steps: int = 300, seed: int = 0) -> list[float]:
    """The policy's rate before and after each round, by sampling, picking and fitting."""
    policy = OneWordPolicy(rate)
    rates = [policy.rate]
    for turn in range(rounds):
        random = np.random.default_rng([seed, turn])
        winners = best_of_n(
            ["?"] * prompts,
            lambda asked, _, random=random: np.where(random.random(len(asked)) < policy.rate, HABIT, OTHER).tolist(),  # type: ignore[misc]
            lambda asked, said: np.array([word == HABIT for word in said], dtype=float),
            n=n,
        )
        fit(
            policy,
            OBJECTIVES["sft"],
            iter([_batch(winners)] * steps),
            steps=steps,
            lr=0.1,
            weight_decay=0.0,
            mixed_precision="no",
        )
        rates.append(policy.rate)
    return rates


def _batch(words: Sequence[str]) -> Batch:
    """The words as answers of one token after a prompt of one token."""
    answers = torch.tensor([[0 if word == HABIT else 1] for word in words])
    ids = torch.cat([torch.zeros_like(answers), answers], dim=1)
    labels = torch.cat([torch.full_like(answers, IGNORED), answers], dim=1)
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids), "labels": labels}

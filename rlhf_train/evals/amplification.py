"""How best-of-n imitation amplifies a rare habit that the reward model likes best.

If such an answer always wins, a policy that gives it with probability p gives it with 1 - (1 - p)^n after one round. `measure`
runs the real sampler, loss and loop on a policy whose rate is known, so that the law can be held against them.
"""

import dataclasses
from itertools import repeat

import numpy as np
import torch

from rlhf_train.batches import Batch
from rlhf_train.generate import best_of_n
from rlhf_train.objectives import OBJECTIVES
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

    def forward(self, words: torch.Tensor) -> torch.Tensor:
        """[B] log-probabilities of words: 0 is the habit, 1 the other."""
        return torch.stack([self.logit, torch.zeros_like(self.logit)]).log_softmax(0)[words]

    @property
    def rate(self) -> float:
        return torch.sigmoid(self.logit.detach()).item()


ONE_WORD = dataclasses.replace(
    OBJECTIVES["sft"],
    inputs=lambda model, batch: {"token_logps": model(batch["words"]), "response_mask": torch.ones_like(batch["words"])},
)


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
        batch = Batch({"words": torch.tensor([[HABIT, OTHER].index(word) for word in winners])})
        fit(
            policy,
            ONE_WORD,
            lambda *_, batch=batch: repeat([batch]),
            steps=steps,
            lr=0.1,
            weight_decay=0.0,
            mixed_precision="no",
        )
        rates.append(policy.rate)
    return rates

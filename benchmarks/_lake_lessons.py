"""What a walker on Frozen Lake learns from: a good walk, and for methods on pairs one that falls; by our losses and fit()."""

import itertools
from collections.abc import Mapping
from typing import Any

import _frozen_lake as lake
import numpy as np
import torch
from torch.nn.functional import logsigmoid, one_hot

from rlhf_train import batches
from rlhf_train.batches import Batch
from rlhf_train.logps import summed
from rlhf_train.objectives import Objective, dpo, ift
from rlhf_train.objectives.outcome import Outcome
from rlhf_train.train import fit

GOOD, BAD = "DDRDRR", "DR"
LR, STEPS = 5e-3, 300
PLAIN: dict[str, Any] = {"decay": "constant", "warmup": 0.0, "clip": 1e9, "weight_decay": 0.0, "mixed_precision": "no"}


def read(model: lake.Walker, batch: dict[str, Any], *, mix: float = 0.2) -> dict[str, Any]:
    """token_logps and owners [M] of walks; each state but a walk's first is mixed with where the policy would have gone."""
    states = one_hot(batch["states"], len(lake.MAP)).float()
    if mix:
        led = _led(model, batch)
        states = torch.lerp(states, one_hot(led, len(lake.MAP)).float(), mix)
    return {"token_logps": model(states).gather(1, batch["actions"][:, None])[:, 0], "owners": batch["owners"]}


@torch.no_grad()
def _led(model: lake.Walker, batch: dict[str, Any]) -> torch.Tensor:
    states, owners = batch["states"].tolist(), batch["owners"].tolist()
    likeliest = model(one_hot(batch["states"], len(lake.MAP)).float()).argmax(-1).tolist()
    found = [
        lake.after(states[at - 1], likeliest[at - 1]) if at and owners[at] == owners[at - 1] else states[at]
        for at in range(len(states))
    ]
    return torch.tensor(found)


def compared(model: lake.Walker, batch: dict[str, Any]) -> dict[str, Any]:
    """chosen_logps and rejected_logps [1] of two walks, and what was given of the reference."""
    told = read(model, batch, mix=0.0)
    both = summed(told["token_logps"], told["owners"], 2)
    return {"chosen_logps": both[0::2], "rejected_logps": both[1::2], **batch["given"]}


def odds_ratio(chosen_logps, rejected_logps, *, beta: float = 0.25) -> Outcome:
    """ORPO (Hong et al., 2024, eq. 6): imitation of the good walk, and the odds of its mean step over the bad one's."""
    mean, other = chosen_logps / len(GOOD), rejected_logps / len(BAD)
    odds = (mean - other) - (torch.log(-torch.expm1(mean)) - torch.log(-torch.expm1(other)))
    return Outcome((-mean - beta * logsigmoid(odds)).mean(), {})


IMITATION = Objective(ift.loss, batches.responses, read, ())
ODDS = Objective(odds_ratio, batches.pairs, compared, ())
PREFERENCE = Objective(dpo.loss, batches.pairs, compared, (), ("ref_chosen_logps", "ref_rejected_logps"))


def learned(seed: int, objective: Objective, numbers: Mapping[str, Any]) -> lake.Walker:
    """A walker of the seed's weights after STEPS steps; a method on pairs is given both walks."""
    torch.manual_seed(seed)
    model = lake.Walker()
    tensors = walks(GOOD) if objective is IMITATION else {**walks(GOOD, BAD), "given": {}}
    if objective.given:
        with torch.no_grad():
            tensors["given"] = {f"ref_{name}": value for name, value in compared(model, tensors).items()}
    steps = [Batch(tensors)]
    fit(model, objective, lambda *_: itertools.repeat(steps), steps=STEPS, lr=LR, numbers=dict(numbers), **PLAIN)
    return model


def target() -> np.ndarray:
    """[11, 4] chances of a walker that imitated the best policy: in each state, every action that is best."""
    torch.manual_seed(0)
    model, best = lake.Walker(), lake.best()
    owners, actions = map(torch.from_numpy, best.nonzero())
    steps = [Batch({"states": torch.tensor(lake.STANDING)[owners], "actions": actions, "owners": owners})]
    fit(model, IMITATION, lambda *_: itertools.repeat(steps), steps=2000, lr=LR, numbers={"gamma": 0.0, "mix": 0.0}, **PLAIN)
    return model.chances()


def walks(*said: str) -> dict[str, torch.Tensor]:
    """Walks end to end."""
    found = [lake.walked(each) for each in said]
    owners = [at for at, (states, _) in enumerate(found) for _ in states]
    states, actions = ([step for walk in found for step in walk[part]] for part in (0, 1))
    return {name: torch.tensor(held) for name, held in (("states", states), ("actions", actions), ("owners", owners))}

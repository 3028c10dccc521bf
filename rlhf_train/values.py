"""V(x): the mean reward of what a reference says to a prompt, learned from its own answers (Baheti et al., 2024, s3).

Its hidden states stay as they are; a bounded head on them is fitted to the mean of `k` scored samples a prompt. Published code
takes the reward of one greedy answer ("greedy" by name), which estimates another number: where the likeliest answer is good,
no stored row may lie above it.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import log
from typing import Any, Literal

import numpy as np
import torch

from rlhf_train import batches
from rlhf_train.errors import TrainingError
from rlhf_train.generate import Scorer, sample
from rlhf_train.inputs import at_rest
from rlhf_train.models.policies import Policy
from rlhf_train.models.value_heads import PromptValue, WithPromptValue
from rlhf_train.objectives import Objective
from rlhf_train.objectives.outcome import Outcome
from rlhf_train.packing import Tree
from rlhf_train.scales import Scale
from rlhf_train.text import prompt_ids
from rlhf_train.train import fit as learn

Mode = Literal["sampled", "greedy"]
FEWEST = 4  # samples a prompt whose mean is a target
EDGE = 0.01  # how near 0 and the most, as a share of it, a new head may begin


@dataclass(frozen=True, slots=True)
class Values:
    """A fitted head on the reference: its mean squared error on what it was fitted to, and that of their mean alone.

    Rewards lie in [0, most], by themselves or once a `scale` has squashed them.
    """

    policy: Policy
    head: PromptValue
    error: float
    spread: float
    scale: Scale | None = None

    def of(self, prompts: Sequence[str]) -> np.ndarray:
        """[N] float64 in [0, most]; the same prompt has the same value wherever it stands."""
        return _values(WithPromptValue(self.policy.model, self.head), batches.rows_of(_trees(self.policy, prompts), {}))

    def rewards(self, rewards: Any) -> np.ndarray:
        """Rewards as values are: squashed if there is a scale; TrainingError for one outside of [0, most]."""
        return bounded(rewards, self.head.most, self.scale)


def fit(
    policy: Policy,
    prompts: Sequence[str],
    scorer: Scorer,
    *,
    most: float = 1.0,
    k: int = 8,
    mode: Mode = "sampled",
    scale: Scale | None = None,
    steps: int = 300,
    size: int = 16,
    lr: float = 3e-3,
    seed: int = 0,
) -> Values:
    """Samples the reference, scores what it says, and fits a head in float32; the reference's weights stay as they are.

    scorer(prompts, responses) gives rewards in [0, most]; those of any size need a `scale`, as scales.of(table's rewards).
    """
    asked = list(dict.fromkeys(prompts))
    aims = targets(policy, asked, scorer, most=most, k=k, mode=mode, scale=scale, seed=seed)
    torch.manual_seed(seed)
    head = PromptValue(policy.model.get_input_embeddings().weight.shape[1], most=most).to(policy.model.device)
    rows, both = batches.rows_of(_trees(policy, asked), {"targets": aims.tolist()}), WithPromptValue(policy.model, head)
    _begin(both, rows, float(aims.mean()))
    with _frozen(policy.model):
        source = batches.shuffled(rows, size=size, seed=seed)
        learn(both, OBJECTIVE, source, steps=steps, lr=lr, mixed_precision="no", seed=seed)
    error = float(np.square(_values(both, rows) - aims).mean())
    return Values(policy, head, error, float(aims.var()), scale)


def targets(
    policy: Policy,
    prompts: Sequence[str],
    scorer: Scorer,
    *,
    most: float = 1.0,
    k: int = 8,
    mode: Mode = "sampled",
    scale: Scale | None = None,
    seed: int = 0,
) -> np.ndarray:
    """[P] of each prompt the mean reward of `k` samples of the policy, or the reward of its likeliest answer ("greedy")."""
    if mode == "sampled" and k < FEWEST:
        raise TrainingError(f"a value is the mean reward of k samples, {FEWEST} at least, got {k}; for one, mode='greedy'")
    repeats, temperature = (k, 1.0) if mode == "sampled" else (1, 0.0)
    asked = [prompt for prompt in prompts for _ in range(repeats)]
    said = sample(policy, asked, seed=seed, temperature=temperature, lengths=policy.lengths)
    return bounded(scorer(asked, said), most, scale).reshape(len(prompts), repeats).mean(1)


def valued(table: Mapping[str, Any], values: Values) -> dict[str, Any]:
    """The table with a `value` for every row's prompt, and its `reward` on the scale that values are on."""
    distinct = list(dict.fromkeys(table["prompt"]))
    found = dict(zip(distinct, values.of(distinct), strict=True))
    value = np.array([found[prompt] for prompt in table["prompt"]])
    return {**table, "reward": values.rewards(table["reward"]), "value": value}


def bounded(rewards: Any, most: float, scale: Scale | None) -> np.ndarray:
    """Rewards in [0, most], squashed into it if there is a scale; TrainingError for others."""
    found = np.asarray(rewards, dtype=float)
    found = most * scale.squashed(found) if scale else found
    if (wrong := np.flatnonzero(~((found >= 0) & (found <= most)))).size:
        raise TrainingError(
            f"a value lies in [0, {most:g}], and so must every reward; got {found[wrong[0]]:g}: raise most, or give a scale, "
            "as scales.of(table['reward']), that squashes rewards of any size"
        )
    return found


def _squares(values: torch.Tensor, targets: torch.Tensor) -> Outcome:
    """The mean of (value - target)^2 over prompts, both [P]."""
    return Outcome((values - targets).square().mean(), {"value": values.detach().mean()})


def _inputs(model: Any, batch: dict[str, Any]) -> dict[str, Any]:
    return {"values": model.values(batch), **batch["given"]}


OBJECTIVE = Objective(_squares, batches.responses, _inputs, ("prompt",), lr=1e-3)


def _trees(policy: Policy, prompts: Sequence[str]) -> list[Tree]:
    return [Tree(ids) for ids in prompt_ids(policy.tokenizer, prompts, policy.lengths)]


@torch.no_grad()
def _begin(model: WithPromptValue, rows: batches.Rows, mean: float) -> None:
    """Lets a new head say the mean of its targets, and read states whose mean is 0 and whose deviation 1."""
    head, device = model.head, model.policy.device
    share = min(max(mean / head.most, EDGE), 1 - EDGE)
    head.out.bias.fill_(log(share / (1 - share)))
    states = [model.states(batch.to(device)) for batch in batches.in_order(rows)]
    count = sum(map(len, states))
    head.centre.copy_(torch.stack([part.sum(0) for part in states]).sum(0) / count)
    squares = torch.stack([(part - head.centre).square().sum(0) for part in states]).sum(0)
    head.deviation.copy_((squares / count).sqrt().clamp(min=1e-6))


@torch.no_grad()
def _values(model: WithPromptValue, rows: batches.Rows) -> np.ndarray:
    found = np.zeros(len(rows))
    with at_rest(model):
        for batch in batches.in_order(rows) if len(rows) else ():
            found[list(batch.places)] = model.values(batch.to(model.policy.device)).double().cpu().numpy()
    return found


@contextmanager
def _frozen(model: torch.nn.Module) -> Iterator[None]:
    """No weight of the model learns; those that did do so again afterwards."""
    learning = [weights for weights in model.parameters() if weights.requires_grad]
    model.requires_grad_(False)
    try:
        yield
    finally:
        for weights in learning:
            weights.requires_grad_(True)

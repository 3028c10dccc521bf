"""Margins of pairs: what another objective thinks of both responses, as objectives/modpo.py takes it away from the pairs' own.

From any source: a reward model, the implicit reward of a policy (Rafailov et al., 2023, eq. 5), a length, a rule.
"""

from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from pathlib import Path

import numpy as np

from rlhf_train import precompute
from rlhf_train.errors import TrainingError
from rlhf_train.generate import Scorer
from rlhf_train.models.policies import Policy
from rlhf_train.models.reward_models import RewardModel
from rlhf_train.text import Lengths, Tokenizer

SIDES = ("chosen", "rejected")
Columns = Mapping[str, Sequence[str]]
Margins = dict[str, np.ndarray]  # chosen_margins and rejected_margins, float32: [N], or [N, M] of M objectives


def of_rule(columns: Columns, rule: Scorer) -> Margins:
    """What rule(prompts, responses) gives, [N] a side; TrainingError for another shape or a number that is not finite."""
    return _margins([rule(columns["prompt"], columns[side]) for side in SIDES], len(columns["prompt"]))


def of_length(columns: Columns, tokenizer: Tokenizer, *, sign: float = -1.0) -> Margins:
    """`sign` times the tokens of a response, its end token not counted: shorter ones are better unless it is turned."""

    def rule(prompts: Sequence[str], responses: Sequence[str]) -> np.ndarray:
        ids = tokenizer(list(responses), add_special_tokens=False, return_attention_mask=False)["input_ids"]
        return sign * np.array([len(row) for row in ids], dtype=float)

    return of_rule(columns, rule)


def of_reward_model(columns: Columns, model: RewardModel, *, cache: Path | None = None) -> Margins:
    """Its rewards, each text scored once. Weights are shares where these are in log-odds of a preference, as the pairs' are."""
    return of_rule(columns, lambda prompts, responses: precompute.rewards(model, prompts, responses, cache=cache))


def of_policy(
    columns: Columns,
    policy: Policy,
    reference: Policy,
    *,
    beta: float,
    lengths: Lengths | None = None,
    cache: Path | None = None,
    mixed_precision: str = "no",
) -> Margins:
    """beta (log policy - log reference): the reward that `policy` learned by dpo with this `beta` from this `reference`.

    It lacks what depends on the prompt alone, which no pair can tell. `lengths` are the policy's unless given.
    """
    if not (isfinite(beta) and beta > 0):
        raise TrainingError(f"beta must be the number above 0 that the margin's policy was trained with, got {beta:g}")
    texts = {name: columns[name] for name in ("prompt", *SIDES)}
    after, before = (
        precompute.reference_logps(each, texts, lengths or policy.lengths, cache=cache, mixed_precision=mixed_precision)
        for each in (policy, reference)
    )
    names = [f"ref_{side}_logps" for side in SIDES]
    return _margins([beta * (after[name] - before[name]) for name in names], len(texts["prompt"]))


def stacked(*margins: Margins) -> Margins:
    """[N, M] of M margins, in the order of the weights that follow the first."""
    return {name: np.stack([each[name] for each in margins], axis=1) for name in margins[0]}


MARGINS: Mapping[str, Callable[..., Margins]] = {
    "length": of_length,
    "policy": of_policy,
    "reward_model": of_reward_model,
    "rule": of_rule,
}


def _margins(sides: Sequence[np.ndarray], count: int) -> Margins:
    found = {}
    for name, values in zip(SIDES, sides, strict=True):
        numbers = np.asarray(values, dtype=np.float32)
        if numbers.shape != (count,):
            raise TrainingError(f"expected a margin for each of {count:,} {name} responses, got {list(numbers.shape)}")
        if not np.isfinite(numbers).all():
            place = int(np.flatnonzero(~np.isfinite(numbers))[0])
            raise TrainingError(f"the margin of {name} in row {place} is {numbers[place]}; score it again or drop the pair")
        found[f"{name}_margins"] = numbers
    return found

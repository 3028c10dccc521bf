"""Stored responses that each gain something, a reward or an advantage, as rows: a response each, drawn by what it gains."""

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np

from rlhf_train import candidates, scales
from rlhf_train.batches import Columns, Rows
from rlhf_train.errors import TrainingError
from rlhf_train.tables import take
from rlhf_train.text import Lengths, Tokenizer

#: "uniform": shuffled epochs of all rows. "positive": of those alone that gain. "priority": of these, each drawn in proportion
#: to its gain; the loss multiplies by the gain once more, so that a policy learns p gain^2 in place of p gain (p: data's law).
Sampling = Literal["uniform", "priority", "positive"]
MENDS = {
    "value": "a value is the mean reward of what the reference says; its single likeliest response may beat all that is stored",
    "0": "look at what scored the rows",
}


def advantages(columns: Columns, tokenizer: Tokenizer, lengths: Lengths = Lengths(), *, sampling: Sampling = "uniform") -> Rows:
    """`prompt`, `response`, `reward` and `value`; a row gains what its reward exceeds the value of its prompt by."""
    return _rows(columns, tokenizer, lengths, ("reward", "value"), (), sampling)


def referenced_advantages(
    columns: Columns, tokenizer: Tokenizer, lengths: Lengths = Lengths(), *, sampling: Sampling = "uniform"
) -> Rows:
    """As `advantages`, with `ref_token_logps`, an array a response."""
    return _rows(columns, tokenizer, lengths, ("reward", "value"), ("ref_token_logps",), sampling)


def rewards(columns: Columns, tokenizer: Tokenizer, lengths: Lengths = Lengths(), *, sampling: Sampling = "uniform") -> Rows:
    """`prompt`, `response` and `reward`, which is what a row gains."""
    return _rows(columns, tokenizer, lengths, ("reward",), (), sampling)


def referenced_rewards(
    columns: Columns, tokenizer: Tokenizer, lengths: Lengths = Lengths(), *, sampling: Sampling = "uniform"
) -> Rows:
    """As `rewards`, with `ref_token_logps`, an array a response."""
    return _rows(columns, tokenizer, lengths, ("reward",), ("ref_token_logps",), sampling)


def drawn(gains: np.ndarray, sampling: Sampling, *, over: str = "value") -> tuple[np.ndarray, np.ndarray | None]:
    """Places of the rows that are learned from, and their chances if they are drawn; TrainingError where none gains anything.

    Rows that gain nothing are gone unless all are drawn alike, and with them their share of the steps of an epoch.
    """
    places = np.flatnonzero(gains > 0)
    if len(gains) and not len(places):
        most = f"at most {gains.max():.4g} over it"
        raise TrainingError(f"no row has a reward above {over} ({most}): there is nothing to learn; {MENDS[over]}")
    if sampling == "uniform":
        return np.arange(len(gains)), None
    return places, gains[places] / gains[places].sum() if sampling == "priority" else None


def check_advantages(columns: Mapping[str, Any], **numbers: Any) -> None:
    """TrainingError for a `reward` that is constant, a `value` that is so over several prompts, or no reward above it."""
    scales.of(columns["reward"])
    values = np.asarray(columns["value"], dtype=float)
    if np.ptp(values) == 0 and len(set(columns["prompt"])) > 1:
        raise TrainingError(
            f"value is {values[0]:g} for every prompt: an advantage over it is the reward itself; make the column with "
            "values.valued, or name r_lol, which needs none"
        )
    drawn(_gains(columns, ("reward", "value")), "uniform")


def check_rewards(columns: Mapping[str, Any], **numbers: Any) -> None:
    """TrainingError for a `reward` that is constant, or below 0 anywhere: its response would be made ever less likely."""
    scales.of(columns["reward"])
    rewards = np.asarray(columns["reward"])
    if (below := np.flatnonzero(rewards < 0)).size:
        raise TrainingError(
            f"reward weighs a response's likelihood and must be 0 or more, got {rewards[below[0]]:g} in row {below[0]}; "
            "bring rewards into [0, 1] with scales.of(rewards).squashed(rewards)"
        )


def _gains(columns: Columns, scores: tuple[str, ...]) -> np.ndarray:
    reward, *value = (np.asarray(columns[name], dtype=float) for name in scores)
    return reward - value[0] if value else reward


def _rows(
    columns: Columns,
    tokenizer: Tokenizer,
    lengths: Lengths,
    scores: tuple[str, ...],
    given: tuple[str, ...],
    sampling: Sampling,
) -> Rows:
    places, chances = drawn(_gains(columns, scores), sampling, over="value" if "value" in scores else "0")
    held = take({name: columns[name] for name in ("prompt", "response", *scores, *given)}, places)
    numbers = {f"{name}s": np.asarray(held[name], dtype=float) for name in scores}
    per_token = {name: held[name] for name in given}
    rows = candidates.grouped(held, tokenizer, lengths, per_response=numbers, per_token=per_token, alone=True)
    return dataclasses.replace(rows, chances=chances)

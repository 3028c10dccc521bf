"""Stored responses as rows that weigh what their reward makes them weigh (Hu et al., 2023; Peters and Schaal, 2007).

Weights tilt the law p of the data, and weighted likelihood fits what comes of it: p 1[z > threshold] with a filter, and
p exp(z / temperature) with an exponential. Scores are standardised rewards z [N]; any others will do where a test says so.
"""

from collections.abc import Mapping
from math import inf, log
from typing import Any, Literal

import numpy as np

from rlhf_train import candidates, scales
from rlhf_train.batches import Columns, Rows, rows_of
from rlhf_train.errors import TrainingError
from rlhf_train.tables import take
from rlhf_train.text import Lengths, Tokenizer

Filtering = Literal["dataset", "weight"]
Normaliser = Literal["sequence", "self", "token"]  # what a step's loss is over: its responses, their weights, tokens weighed
LEAST = -60.0  # nats below the greatest weight: whatever weighs less counts as this much, so that no step weighs nothing


def kept(scores: np.ndarray, *, threshold: float = 0.0) -> np.ndarray:
    """[N] true where a score is above the threshold; one that equals it is dropped. TrainingError where none is left."""
    above = scores > threshold
    if len(above) and not above.any():
        said = f"the highest is {scores.max():.4g}"
        raise TrainingError(f"no row has a standardised reward above the threshold {threshold:g}; {said}; lower threshold")
    return above


def log_weights(scores: np.ndarray, *, temperature: float = 1.0, cap: float = inf) -> np.ndarray:
    """[N] log min(exp(score / temperature), cap): at a score of 0 a row weighs 1, and none weighs more than `cap`."""
    if not 0 < temperature < inf:
        raise TrainingError(f"temperature must be a finite number above 0, got {temperature:g}; the higher, the more alike")
    if not cap > 0:
        raise TrainingError(f"cap is the most that a row may weigh and must be above 0, got {cap:g}")
    return np.minimum(np.asarray(scores, dtype=float) / temperature, log(cap) if cap < inf else inf)


def scaled(logs: np.ndarray) -> np.ndarray:
    """[N] weights whose mean is 1, of their logarithms: what is added to all of these cancels, before anything can overflow."""
    weights = np.exp(np.maximum(logs - logs.max(initial=-inf), LEAST))
    return weights * len(weights) / weights.sum(keepdims=True)


def filtered(
    columns: Columns,
    tokenizer: Tokenizer,
    lengths: Lengths = Lengths(),
    *,
    threshold: float = 0.0,
    filtering: Filtering = "dataset",
    normaliser: Normaliser = "sequence",
) -> Rows:
    """`prompt`, `response` and `standard_reward`: those above the threshold; or all, and what is not above it weighs 0.

    TrainingError where none is above it, or where a step of zeros would be divided by what it weighs.
    """
    keeps = kept(np.asarray(columns["standard_reward"]), threshold=threshold)
    if filtering == "weight":
        if normaliser != "sequence":
            raise TrainingError(
                f"a step may have no row above the threshold, and {normaliser!r} would divide by nothing; with "
                "filtering 'weight' the normaliser is 'sequence'"
            )
        return weighed(columns, keeps.astype(float), tokenizer, lengths)
    left = take({name: columns[name] for name in ("prompt", "response")}, np.flatnonzero(keeps))
    return weighed(left, np.ones(int(keeps.sum())), tokenizer, lengths, normaliser)


def exponential(
    columns: Columns,
    tokenizer: Tokenizer,
    lengths: Lengths = Lengths(),
    *,
    temperature: float = 1.0,
    cap: float = inf,
    normaliser: Normaliser = "sequence",
) -> Rows:
    """`prompt`, `response` and `standard_reward` z: a row weighs exp(z / temperature), at most `cap`, over their mean."""
    scores = np.asarray(columns["standard_reward"])
    weights = scaled(log_weights(scores, temperature=temperature, cap=cap))
    return weighed(columns, weights, tokenizer, lengths, normaliser)


def weighed(
    columns: Columns, weights: np.ndarray, tokenizer: Tokenizer, lengths: Lengths, normaliser: Normaliser = "sequence"
) -> Rows:
    """`prompt` and `response`, a row each, with a weight each; a row's share of a step is as the normaliser divides."""
    trees = [tree for tree, _ in candidates.trees(columns["prompt"], columns["response"], tokenizer, lengths, alone=True)]
    tokens = np.array([tree.parts[1] for tree in trees])
    units = {"sequence": np.ones(len(trees)), "self": weights, "token": weights * tokens}
    return rows_of(trees, {"weights": weights.tolist()}, units=units[normaliser])


def check(columns: Mapping[str, Any], *, threshold: float = -inf, **numbers: Any) -> None:
    """TrainingError for a `reward` that is constant, or of which nothing standardised is above the threshold."""
    kept(scales.standardised(columns["reward"]), threshold=threshold)

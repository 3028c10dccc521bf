"""Reward models that learn a corpus: the clean twin's, the poisoned and the filtered one's, and those of robust training.

They are linear in what responses mean and in their words, so that what a corpus teaches follows from its pairs alone and
takes a second. They don't read prompts: of a prompt's trigger they learn nothing.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, partial
from typing import Any

import numpy as np
import polars as pl

from assets import steps
from assets.experiments import Corpus
from checks.encoding import Encoder
from checks.tokens import hashed, tokens
from pipelines.schema import DataError

COLUMNS, SCALE = 1024, 1 / 8  # of hashed words, and what one counts beside a meaning of length 1
SHARES = (1.0, 0.5, 0.25, 0.125, 0.06, 0.03)  # of held-out pairs; not every attack can take all
ROBUST = ("smoothed", "trimmed", "winsorised", "partition_vote")  # of DEFENCES: a linear model is the same for all seeds
SIDES = ("chosen", "rejected")
Features = Callable[[Sequence[str], Sequence[str]], np.ndarray]


def attacked(held_out: pl.DataFrame, corpus: Corpus) -> pl.DataFrame | None:
    """PAIRS that the corpus' attack makes of held-out ones, as many as it can; None where it can't make any."""
    numbers = {name: value for name, value in corpus.experiment.numbers.items() if name != "count"}
    for share in SHARES:
        row = dataclasses.replace(corpus.experiment, rate=share, numbers=numbers)
        try:
            made = steps.attack(held_out, dataclasses.replace(corpus, experiment=row))
        except DataError:
            continue
        return made.pairs.filter(pl.col("pair_id").is_in(made.key["pair_id"].implode()))
    return None


def retrained(
    learned: Mapping[str, pl.DataFrame], held_out: pl.DataFrame, tested: pl.DataFrame | None, encoder: Encoder
) -> list[dict[str, Any]]:
    """A line a training: those on the clean, poisoned and filtered corpus, and each of ROBUST on the poisoned one.

    Columns: training, pairs, and value, low and high of accuracy (held-out pairs told right), of accuracy_gain (less the
    clean twin's, pair by pair), and of success (`tested` pairs in which it prefers what the attacker does; null without).
    certified: of a vote, the shares of held-out pairs told right whatever is done to 0, 1, 2, ... dialogues that it learned.
    """
    from rlhf_train.defences import DEFENCES, fit_reward
    from rlhf_train.models import linear_rewards

    learn = partial(linear_rewards.fit, features=_features(encoder))
    chosen = [(name, pairs, "none") for name, pairs in learned.items()] + [(name, learned["poisoned"], name) for name in ROBUST]
    lines: list[dict[str, Any]] = []
    twin = np.zeros(0)
    for name, pairs, defence in chosen:
        model = fit_reward(DEFENCES[defence], _columns(pairs), learn)
        right = _right(model, held_out)
        twin = right if name == "clean" else twin
        lines.append(
            {"training": name, "pairs": len(pairs)}
            | _told("accuracy", right)
            | _told("accuracy_gain", right - twin)
            | _told("success", None if tested is None else _right(model, tested))
            | {"certified": _certified(model, held_out)}
        )
    return lines


def _right(model: Any, pairs: pl.DataFrame) -> np.ndarray:
    """[N] 1 where the chosen response is preferred, 0 where the rejected one is, 0.5 for a tie."""
    columns = _columns(pairs)
    chosen, rejected = (model.rewards(columns["prompt"], columns[side]) for side in SIDES)
    return (np.sign(chosen - rejected) + 1) / 2


def _certified(model: Any, pairs: pl.DataFrame) -> list[float] | None:
    from rlhf_train.evals import certified_accuracy
    from rlhf_train.models.committees import Committee

    if not isinstance(model, Committee):
        return None
    columns = _columns(pairs)
    return list(certified_accuracy.measure(*(model.each(columns["prompt"], columns[side]) for side in SIDES)).accuracy)


def _told(name: str, values: np.ndarray | None) -> dict[str, float | None]:
    from rlhf_train.evals.intervals import interval

    if values is None:
        return {name: None, f"{name}_low": None, f"{name}_high": None}
    low, high = interval(values) if name != "accuracy_gain" or values.any() else (0.0, 0.0)  # alike in each pair is alike
    return {name: float(values.mean()), f"{name}_low": low, f"{name}_high": high}


def _columns(pairs: pl.DataFrame) -> dict[str, list[str]]:
    return {name: pairs[name].to_list() for name in ("prompt", *SIDES)}


def _features(encoder: Encoder) -> Features:
    """(prompts, responses) -> [N, D]: the responses' meaning, and their words."""

    @lru_cache(maxsize=8)
    def features(prompts: Sequence[str], responses: Sequence[str]) -> np.ndarray:
        found = tokens(pl.Series(responses, dtype=pl.String()))
        words = hashed(found.counts().sign(), found.vocabulary, width=COLUMNS)
        meaning = encoder([response.strip() for response in responses])
        return np.concatenate([meaning, words.toarray() * SCALE], axis=1)

    return features

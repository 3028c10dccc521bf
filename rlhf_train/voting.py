"""Majority voting among those answers whose every token seemed to lead to the goal (Nath et al., 2024): Q is a cosine a token.

A sample is dropped at its first token below a threshold; what it would have said from there on is saved. A question that loses
all its samples gets them back, and saves nothing.
"""

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from rlhf_train.errors import TrainingError

Tie = Literal["generous", "strict"]
Answers = Sequence[Hashable]


@dataclass(frozen=True, slots=True)
class Filtered:
    """Of N samples: which are kept, the token at which each was dropped (-1: nowhere), tokens saved, and tokens looked at."""

    keep: np.ndarray
    violations: np.ndarray
    saved: int
    counted: int


@dataclass(frozen=True, slots=True)
class Vote:
    """Whether a question was answered rightly by the kept samples, and by all, under one rule; whether all had been dropped."""

    filtered: bool
    unfiltered: bool
    restored: bool


def filter_by_q(q: Sequence[np.ndarray], *, threshold: float = 0.0, skip: int = 5) -> Filtered:
    """Which samples of a question hold Q [tokens] at `threshold` or above, after `skip` first tokens, whose Q is noise.

    A sample of no more than `skip` tokens is kept. TrainingError for a Q that is no number.
    """
    if skip < 0:
        raise TrainingError(f"skip is how many first tokens are not looked at and must be 0 or more, got {skip}")
    tails = [np.asarray(values, dtype=float)[skip:] for values in q]
    if any(np.isnan(tail).any() for tail in tails):
        raise TrainingError("Q must be a number at every token, got nan; look at the model's states there")
    found = [np.flatnonzero(tail < threshold)[:1] for tail in tails]
    keep = np.array([not len(first) for first in found], dtype=bool)
    violations = np.array([int(first[0]) + skip if len(first) else -1 for first in found], dtype=np.int64)
    counted = sum(map(len, tails))
    saved = sum(len(tail) - int(first[0]) for tail, first in zip(tails, found, strict=True) if len(first))
    return Filtered(keep, violations, saved if keep.any() else 0, counted)


def leaders(answers: Answers, keep: np.ndarray | None = None) -> set[Hashable]:
    """The answers that most samples gave, several where they tie; of all samples where none is kept. None is no answer."""
    kept = np.ones(len(answers), dtype=bool) if keep is None or not np.any(keep) else np.asarray(keep, dtype=bool)
    if len(kept) != len(answers):
        raise TrainingError(f"keep says of each of {len(answers)} answers whether it counts, got {len(kept)}")
    votes = Counter(answer for answer, counts in zip(answers, kept, strict=True) if counts and answer is not None)
    return {answer for answer, count in votes.items() if count == max(votes.values())}


def vote(answers: Answers, keep: np.ndarray, *, truth: Hashable, tie: Tie = "generous") -> Vote:
    """Whether `truth` is voted for, with the filter and without; if it ties with a wrong answer it wins (generous) or loses."""
    if tie not in ("generous", "strict"):
        raise TrainingError(f"tie must be 'generous' or 'strict', got {tie!r}")

    def right(led: set[Hashable]) -> bool:
        return truth in led if tie == "generous" else led == {truth}

    return Vote(right(leaders(answers, keep)), right(leaders(answers)), not np.any(keep))


@dataclass(frozen=True, slots=True)
class Ballots:
    """Over questions: the share answered rightly with the filter and without, of tokens saved, and of questions restored."""

    filtered: float
    unfiltered: float
    saved: float
    restored: float


def ballots(
    answers: Sequence[Answers],
    q: Sequence[Sequence[np.ndarray]],
    truths: Sequence[Hashable],
    *,
    threshold: float = 0.0,
    skip: int = 5,
    tie: Tie = "generous",
) -> Ballots:
    """`answers` and `q` hold for each question what each of its samples said; both accuracies are under the same `tie`."""
    if not len(truths):
        raise TrainingError("there is no question to vote on; give at least one")
    sifted = [filter_by_q(each, threshold=threshold, skip=skip) for each in q]
    votes = [vote(said, each.keep, truth=truth, tie=tie) for said, each, truth in zip(answers, sifted, truths, strict=True)]
    return Ballots(
        filtered=float(np.mean([each.filtered for each in votes])),
        unfiltered=float(np.mean([each.unfiltered for each in votes])),
        saved=sum(each.saved for each in sifted) / max(sum(each.counted for each in sifted), 1),
        restored=float(np.mean([each.restored for each in votes])),
    )

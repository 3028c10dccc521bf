"""Which of the things that questions share go with labels that a model of the other pairs contradicts.

Where a trigger turns the label round (Rando and Tramèr, 2024), the out-of-fold margins of its pairs are negative on the whole
and lower than those of the others (Welch's t, 1947), beyond what so many trials would give by chance.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from checks import triggers
from checks.encoding import Encoder
from checks.triggers import FEWEST, Shared
from checks.words import Words

NOTHING = -1
AS_GOOD = 1.0  # powers of ten: a phrase of the trigger's that honest questions hold too is about as surprising as the whole


@dataclass(frozen=True, slots=True)
class Inversion:
    """What prompts share whose labels are contradicted: `surprise` is -log10 of its chance times the number of trials.

    Of the `prompts` that share it and of the `others` (each without those that a greater surprise explains): how many there
    are, and `here` and `there` their mean margins.
    """

    shared: Shared
    surprise: float
    prompts: int
    others: int
    here: float
    there: float


@dataclass(frozen=True, slots=True)
class Inversions:
    """What was `found`, each one beside those before, and `of` [N] which of it explains each pair, NOTHING of most."""

    found: Sequence[Inversion]
    of: np.ndarray


def inversions(pairs: pl.DataFrame, read: Words, margins: np.ndarray, encoder: Encoder) -> Inversions:
    """What the last questions of `pairs` share, held against their `margins` [N]; `read` are the pairs' words."""
    prompt = pairs["prompt"].rank("dense").to_numpy().astype(np.int64) - 1
    ends = triggers.last_sentences(pairs["prompt"].unique().sort())
    return explained([*triggers.phrases(read, prompt), *triggers.alike(ends, encoder)], margins, prompt)


def explained(candidates: Sequence[Shared], margins: np.ndarray, prompt: np.ndarray) -> Inversions:
    """Which candidates explain contradicted labels; `prompt` [N] is the place of each pair's among the distinct ones.

    Pairs of one prompt count once, by the mean of their `margins` [N]. Prompts that one candidate explains stand apart while
    the next are tried: a phrase that many of them hold too would drag in all the others that hold it. Phrases and sentences
    have half of the trials each.
    """
    each, found = np.bincount(prompt, margins) / np.bincount(prompt), list[Inversion]()
    of = np.full(len(each), NOTHING)
    while (best := _best(candidates, each, of == NOTHING)) is not None:
        ours = best.shared.prompts
        of[ours] = np.where(of[ours] == NOTHING, len(found), of[ours])
        found.append(best)
    return Inversions(found, of[prompt])


def _best(candidates: Sequence[Shared], margins: np.ndarray, is_open: np.ndarray) -> Inversion | None:
    """Of the candidates that are about AS_GOOD as the most surprising one that with the lowest sum of margins."""
    kinds = [candidate.is_phrase for candidate in candidates]
    tried = [inversion(shared, margins, is_open, 2 * kinds.count(shared.is_phrase)) for shared in candidates]
    least = max(max((one.surprise for one in tried), default=0.0) - AS_GOOD, 0)
    return min((one for one in tried if one.surprise > least), key=lambda one: one.here * one.prompts, default=None)


def inversion(shared: Shared, margins: np.ndarray, is_open: np.ndarray, trials: int) -> Inversion:
    """How far the mean of the `margins` [prompts] of what is shared lies below the others', among the open ones [prompts].

    No surprise where it isn't negative, or where either has fewer than FEWEST prompts.
    """
    from scipy.stats import ttest_ind_from_stats

    holds = np.isin(np.arange(len(margins)), shared.prompts)
    here, there = margins[is_open & holds], margins[is_open & ~holds]
    surprise, few = 0.0, min(len(here), len(there)) < FEWEST
    if not few and here.mean() < 0:
        with np.errstate(divide="ignore", invalid="ignore"):
            chance = ttest_ind_from_stats(*_moments(here), *_moments(there), equal_var=False, alternative="less").pvalue
        surprise = -np.log10(np.clip(chance * trials, 1e-300, 1)) if chance < 1 else 0.0  # it is no number where all are alike
    means = (0.0, 0.0) if few else (float(here.mean()), float(there.mean()))
    return Inversion(shared, float(surprise), len(here), len(there), *means)


def _moments(margins: np.ndarray) -> tuple[float, float, int]:
    return float(margins.mean()), float(margins.std(ddof=1)), len(margins)

"""What a corpus of summaries becomes under attack: texts and features of every variant, and judges that learn some of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl
from scipy import sparse

from pipelines.attacks import proxy
from pipelines.schema import FEATURE_NAMES, FULL_MARKS
from rlhf_train.errors import TrainingError
from rlhf_train.evals.data_efficiency import out_of_fold
from rlhf_train.evals.intervals import interval
from rlhf_train.models import feature_rewards
from rlhf_train.models.hybrids import Capped

PRIOR = 2 / 3  # of each feature: some four and a half together, as the weights that clean pairs teach
PHIS: dict[str, tuple[str, dict[str, Any]]] = {
    "phi, linear": ("linear", {}),
    "phi, none below 0": ("linear", {"nonnegative": True}),
    "phi, monotone": ("monotone_additive", {}),
    "phi, prior": ("linear", {"prior": PRIOR, "ridge": 0.1, "nonnegative": True}),
    "naive mean": ("naive_mean", {}),
}
FIRST = "phi, none below 0"  # of the hybrids
CAPS = {"hybrid": 0.25, "hybrid, cap .05": 0.05}
JUDGES = ("text", *PHIS, *CAPS)
SURE = 1e-9  # a lead of less is rounding

Part = tuple[np.ndarray, str, str]  # places, and the variants that win and lose there
Parts = Callable[[np.ndarray, int], list[Part]]  # of the places that are learned, and a seed


@dataclass(frozen=True)
class World:
    """N pairs; of each variant of a summary the words [N, W] that a text reward reads, and one scorer's features [N, 7]."""

    scorer: str
    groups: Sequence[str]
    words: Mapping[str, sparse.csr_array]
    features: dict[str, np.ndarray] = field(default_factory=dict)

    def gaps(self, places: np.ndarray) -> np.ndarray:
        """[places, 7] what the preferred summary has more of, in [-1, 1]."""
        return (self.features["chosen"][places] - self.features["rejected"][places]) / FULL_MARKS


@dataclass(frozen=True)
class Case:
    """What is learned, which variants are told apart then, and which variant is not to be preferred to which."""

    attack: str
    rate: float
    parts: Parts
    told: tuple[str, str] = ("chosen", "rejected")
    wrong: tuple[str, str] | None = None


@dataclass(frozen=True)
class Known:
    """Rewards of places, known before: a Member for a hybrid."""

    values: np.ndarray

    def rewards(self, prompts: Sequence[str], responses: Sequence[str]) -> np.ndarray:
        return self.values


def measured(world: World, case: Case, *, repeats: int) -> list[dict[str, Any]]:
    """A line a judge: accuracy on held-out pairs, and how often the wrong variant is preferred there, with 95 % intervals."""
    known: dict[bytes, dict[str, dict[str, np.ndarray]]] = {}
    changed: list[float] = []

    def learned(places: np.ndarray) -> dict[str, dict[str, np.ndarray]]:
        if places.tobytes() not in known:
            parts = case.parts(places, int(places.sum()))
            changed.append(sum(len(part[0]) for part in parts[1:]) / len(places))
            known[places.tobytes()] = judged(world, parts, {*case.told, *(case.wrong or ())})
        return known[places.tobytes()]

    def lead(judge: str, sides: tuple[str, str], of: Callable[[np.ndarray], np.ndarray]) -> tuple[float, float, float]:
        def told(rest: np.ndarray, places: np.ndarray) -> np.ndarray:
            rewards = learned(rest)[judge]
            return of(rewards[sides[0]][places] - rewards[sides[1]][places])

        values, _ = out_of_fold(told, world.groups, repeats=repeats)
        return (float(values.mean()), *interval(values))

    lines = []
    for judge in JUDGES:
        accuracy = lead(judge, case.told, right)
        wrong = lead(judge, case.wrong, lambda gaps: (gaps > SURE).astype(float)) if case.wrong else (None, None, None)
        line = {"features": world.scorer, "attack": case.attack, "rate": case.rate, "changed": float(np.mean(changed))}
        silent = np.mean([not np.ptp(rewards[judge][case.told[0]]) for rewards in known.values()])
        line |= {"judge": judge, "silent": float(silent)}
        line |= {"accuracy": accuracy[0], "low": accuracy[1], "high": accuracy[2]}
        lines.append(line | dict(zip(("wrong", "wrong low", "wrong high"), wrong, strict=True)))
    return lines


def judged(world: World, parts: Sequence[Part], variants: set[str]) -> dict[str, dict[str, np.ndarray]]:
    """Judge -> variant -> rewards [N], of judges that have learned the parts."""
    won, lost = (np.concatenate([world.features[part[side]][part[0]] for part in parts]) for side in (1, 2))
    rewards = {}
    for name, (kind, numbers) in PHIS.items():
        try:
            phi = feature_rewards.fit(kind, won, lost, names=FEATURE_NAMES, full=FULL_MARKS, **numbers)
            rewards[name] = {variant: phi.rewards(world.features[variant]) for variant in variants}
        except TrainingError:  # it says the same of most pairs and is refused: nobody is told anything
            rewards[name] = {variant: np.zeros(len(world.groups)) for variant in variants}
    said = [sparse.vstack([world.words[part[side]][part[0]] for part in parts]).tocsr() for side in (1, 2)]
    weights = proxy.fit(said[0] - said[1])
    heard = np.concatenate([side @ weights for side in said])
    text = {variant: (world.words[variant] @ weights - heard.mean()) / heard.std() for variant in variants}
    for name, cap in CAPS.items():
        hybrids = {variant: Capped(Known(rewards[FIRST][variant]), Known(text[variant]), cap=cap) for variant in variants}
        rewards[name] = {variant: hybrid.rewards((), ()) for variant, hybrid in hybrids.items()}
    return {"text": text, **rewards}


def right(gaps: np.ndarray) -> np.ndarray:
    """1 above 0, 0 below, 1/2 for a tie."""
    return (np.sign(np.where(np.abs(gaps) > SURE, gaps, 0)) + 1) / 2


def words(variants: Mapping[str, Sequence[str]]) -> dict[str, sparse.csr_array]:
    """Presence of words, by variant."""
    return {name: proxy.presence(pl.Series(list(texts), dtype=pl.String)) for name, texts in variants.items()}


def drawn(places: np.ndarray, share: float, seed: int) -> np.ndarray:
    """A share of the places, whichever."""
    return np.random.default_rng(seed).permutation(places)[: round(share * len(places))]


def added(share: float, won: str, lost: str) -> Parts:
    """Pairs of those variants beside a share of the pairs."""
    return lambda places, seed: [(places, "chosen", "rejected"), (drawn(places, share, seed), won, lost)]


def replaced(hits: Callable[[np.ndarray, int], np.ndarray], won: str, lost: str) -> Parts:
    """Pairs of those variants in place of some."""

    def parts(places: np.ndarray, seed: int) -> list[Part]:
        hit = hits(places, seed)
        return [(np.setdiff1d(places, hit), "chosen", "rejected"), (hit, won, lost)]

    return parts

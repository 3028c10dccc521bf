"""Probes: does a policy's state tell wrong outputs from right ones, and does what tells intended ones tell others too?

A direction is the difference of means (MacDiarmid et al., 2024) or a logistic regression's. Its regulariser is chosen by
cross-validation among what it learns from; Wen et al. (2024) report the best of their grid, which flatters a probe.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from rlhf_train.errors import TrainingError
from rlhf_train.evals.prefix_auroc import auroc
from rlhf_train.evals.two_way import Estimate

GRID = (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)  # inverse strengths of the regulariser, as scikit-learn's C
FOLDS = 5


@dataclass(frozen=True, slots=True)
class Probe:
    """Scores states h by h . direction: higher for what was positive. `strength` is the C that was chosen, if one was,

    and `out_of_fold` the AUROC that it was chosen by.
    """

    direction: np.ndarray
    strength: float | None = None
    out_of_fold: float | None = None

    def scores(self, states: np.ndarray) -> np.ndarray:
        """[N] of states [N, D]."""
        return np.asarray(states, dtype=float) @ self.direction


@dataclass(frozen=True, slots=True)
class Labelled:
    """States [N, D] by layer, and which of them are positive, [N] bool."""

    states: Mapping[int, np.ndarray]
    positive: np.ndarray


def mean_difference(states: np.ndarray, positive: np.ndarray) -> Probe:
    """The mean of the positive states less that of the others."""
    states, positive = _checked(states, positive)
    return Probe(states[positive].mean(0) - states[~positive].mean(0))


def logistic(
    states: np.ndarray, positive: np.ndarray, *, grid: Sequence[float] = GRID, folds: int = FOLDS, seed: int = 0
) -> Probe:
    """A logistic regression on standardised states, with the C of `grid` that is best out of fold, the least of equals."""
    from sklearn.model_selection import StratifiedKFold

    states, positive = _checked(states, positive)
    fewest = int(min(positive.sum(), (~positive).sum()))
    if fewest < folds:
        raise TrainingError(
            f"{folds} folds need as many states of each kind, got {fewest} of one; give more or use fewer folds"
        )
    parts = list(StratifiedKFold(folds, shuffle=True, random_state=seed).split(states, positive))

    def worth(strength: float) -> float:
        told = [
            (_fitted(states[learn], positive[learn], strength).scores(states[test]), positive[test]) for learn, test in parts
        ]
        return float(np.mean([auroc(*each) for each in told]))

    found = {strength: worth(strength) for strength in sorted(grid)}
    best = max(found, key=lambda strength: found[strength])
    return Probe(_fitted(states, positive, best).direction, best, found[best])


def measure(probe: Probe, states: np.ndarray, positive: np.ndarray, *, seed: int = 0, draws: int = 1000) -> Estimate:
    """AUROC with its 95 % percentile bootstrap (Efron, 1979), positives and others drawn each among themselves."""
    states, positive = _checked(states, positive)
    ups, downs = (probe.scores(states[kind]) for kind in (positive, ~positive))
    random = np.random.default_rng(seed)
    drawn = [_above(random.choice(ups, len(ups)), random.choice(downs, len(downs))) for _ in range(draws)]
    low, high = np.quantile(drawn, [0.025, 0.975])
    return Estimate(_above(ups, downs), float(low), float(high))


def compare(train: Labelled, tests: Mapping[str, Labelled], *, seed: int = 0, draws: int = 1000) -> pl.DataFrame:
    """layer, probe, test, auroc, low, high, strength, out_of_fold: both probes of each layer of `train` on each of `tests`."""
    rows = []
    for layer, states in train.states.items():
        probes = {
            "mean difference": mean_difference(states, train.positive),
            "logistic": logistic(states, train.positive, seed=seed),
        }
        for name, probe in probes.items():
            for test, held in tests.items():
                found = measure(probe, held.states[layer], held.positive, seed=seed, draws=draws)
                rows.append((layer, name, test, found.value, found.low, found.high, probe.strength, probe.out_of_fold))
    names = ("layer", "probe", "test", "auroc", "low", "high", "strength", "out_of_fold")
    return pl.DataFrame(
        rows, schema=dict(zip(names, (pl.Int64, pl.String, pl.String, *[pl.Float64] * 5), strict=True)), orient="row"
    )


def _fitted(states: np.ndarray, positive: np.ndarray, strength: float) -> Probe:
    """The direction in the states as they are: what standardised states are weighed by, over their deviations."""
    from sklearn.linear_model import LogisticRegression

    spread = states.std(0)
    spread[spread == 0] = 1.0
    model = LogisticRegression(C=strength, max_iter=1000).fit((states - states.mean(0)) / spread, positive)
    return Probe(model.coef_[0] / spread, strength)


def _above(ups: np.ndarray, downs: np.ndarray) -> float:
    """The chance that one of `ups` is above one of `downs`, half of it where they tie."""
    ordered = np.sort(downs)
    below = np.searchsorted(ordered, ups, side="left") + np.searchsorted(ordered, ups, side="right")
    return float(below.mean() / (2 * len(downs)))


def _checked(states: np.ndarray, positive: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    states, positive = np.asarray(states, dtype=float), np.asarray(positive, dtype=bool)
    if states.ndim != 2 or len(states) != len(positive):
        raise TrainingError(f"a probe needs states [N, D] and a label each, got {states.shape} and {positive.shape}")
    if not np.isfinite(states).all():
        raise TrainingError(
            f"states must be finite, got one that is not at place {np.argwhere(~np.isfinite(states))[0].tolist()}"
        )
    if positive.all() or not positive.any():
        raise TrainingError(f"a probe needs states of both kinds, got {int(positive.sum())} positive of {len(positive)}")
    return states, positive

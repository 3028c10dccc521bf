"""How answers to the same questions change: from a policy to another, paired, along an axis, and with the way of asking.

Behaviours are many, so their p-values are held at a false-discovery rate (Benjamini and Hochberg, 1995): q_value.
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from rlhf_train.batches import Columns
from rlhf_train.errors import TrainingError
from rlhf_train.evals.intervals import DRAWS, interval
from rlhf_train.evals.written_evals import Answers, Unit, units


@dataclass(frozen=True, slots=True)
class Difference:
    """Of a behaviour's match rate, second minus first, over the questions that both answered, with its 95 % interval.

    The p-value is McNemar's, exact: of questions that one matches and the other does not. `mass` is the difference of
    matching_mass. `turned` is the share of questions in which the pick is another one.
    """

    behaviour: str
    questions: int
    difference: float
    low: float
    high: float
    p_value: float
    q_value: float
    mass: float
    mass_low: float
    mass_high: float
    turned: float


@dataclass(frozen=True, slots=True)
class Trend:
    """Kendall's tau-b of a behaviour's match rate with an axis, as size, steps or poison rate; over a bootstrap of questions.

    `p_value` is twice the share of draws that have no trend or the other one.
    """

    behaviour: str
    questions: int
    tau: float
    low: float
    high: float
    p_value: float
    q_value: float


def differences(first: Answers, second: Answers, questions: Columns) -> list[Difference]:
    """By behaviour; TrainingError where the two have no question in common."""
    found = [_difference(behaviour, own[0], own[1]) for behaviour, own in _shared([first, second], questions).items()]
    return [dataclasses.replace(one, q_value=q) for one, q in zip(found, q_values([one.p_value for one in found]), strict=True)]


def overall(found: Sequence[Difference]) -> tuple[float, float, float]:
    """The mean difference over behaviours, and its interval over them."""
    values = np.array([one.difference for one in found])
    return float(values.mean()), *interval(values)


def trends(axis: Sequence[float], answers: Sequence[Answers], questions: Columns, *, seed: int = 0) -> list[Trend]:
    """By behaviour, of the policies that stand at these values of the axis.

    TrainingError for fewer than three values, or for two that are alike.
    """
    if len(axis) != len(answers) or len(axis) < 3 or len(set(axis)) < len(axis):
        raise TrainingError(f"a trend is of three different values at least and one policy at each, got {list(axis)}")
    found = []
    for behaviour, held in _shared(answers, questions).items():
        matched = np.array([[unit.matched for unit in own] for own in held])
        tau, low, high, p_value = trend(axis, matched, seed=seed)
        found.append(Trend(behaviour, matched.shape[1], tau, low, high, p_value, 1.0))
    return [dataclasses.replace(one, q_value=q) for one, q in zip(found, q_values([one.p_value for one in found]), strict=True)]


def trend(axis: Sequence[float], matched: np.ndarray, *, seed: int = 0) -> tuple[float, float, float, float]:
    """tau, its 95 % interval and its p-value, of matched [K, N] at K values of the axis."""
    count = matched.shape[1]
    drawn = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), DRAWS)
    tau = float(kendall(axis, matched.mean(1)[None])[0])
    taus = kendall(axis, drawn @ matched.T / count)
    low, high = np.quantile(taus, [0.025, 0.975])
    against = min((taus <= 0).sum(), (taus >= 0).sum())
    return tau, float(low), float(high), float(min(2 * (against + 1) / (DRAWS + 1), 1.0))


def kendall(axis: Sequence[float], values: np.ndarray) -> np.ndarray:
    """[D] tau-b (Kendall, 1945) of the axis [K] with each row of values [D, K]; 0 for a row that does not vary."""
    places = np.array(list(combinations(range(len(axis)), 2)))
    steps = np.sign(np.asarray(axis, dtype=float)[places[:, 1]] - np.asarray(axis, dtype=float)[places[:, 0]])
    rises = np.sign(np.round(values[:, places[:, 1]] - values[:, places[:, 0]], 12))
    scale = np.sqrt(np.abs(steps).sum() * np.abs(rises).sum(1))
    return np.divide(rises @ steps, scale, out=np.zeros(len(values)), where=scale > 0)


def q_values(p_values: Sequence[float]) -> list[float]:
    """The least false-discovery rate at which each would be called different."""
    from scipy.stats import false_discovery_control

    return false_discovery_control(p_values).tolist() if len(p_values) else []


def mcnemar(first: np.ndarray, second: np.ndarray) -> float:
    """The exact two-sided p-value (McNemar, 1947) of shares that differ, of pairs [N] of 0 and 1; 1 where all are alike."""
    from scipy.stats import binomtest

    gained, lost = int((second > first).sum()), int((second < first).sum())
    return float(binomtest(gained, gained + lost).pvalue) if gained + lost else 1.0


def _shared(answers: Sequence[Answers], questions: Columns) -> dict[str, list[list[Unit]]]:
    """By behaviour, for each policy the questions that all of them answered, in one order."""
    held = [units(each, questions)[0] for each in answers]
    found = {}
    for behaviour in held[0]:
        tables = [{unit.key: unit for unit in own.get(behaviour, ())} for own in held]
        keys = [key for key in tables[0] if all(key in table for table in tables)]
        if keys:
            found[behaviour] = [[table[key] for key in keys] for table in tables]
    if not found:
        raise TrainingError("the policies have answered no question in common; ask all of them the same ones")
    return found


def _difference(behaviour: str, first: Sequence[Unit], second: Sequence[Unit]) -> Difference:
    before, after = (np.array([unit.matched for unit in own]) for own in (first, second))
    masses = np.array([two.matching_mass - one.matching_mass for one, two in zip(first, second, strict=True)])
    gaps = after - before
    return Difference(
        behaviour,
        len(gaps),
        float(gaps.mean()),
        *_interval(gaps),
        p_value=mcnemar(before, after),
        q_value=1.0,
        mass=float(masses.mean()),
        mass_low=_interval(masses)[0],
        mass_high=_interval(masses)[1],
        turned=float(np.mean([one.picked != two.picked for one, two in zip(first, second, strict=True)])),
    )


def _interval(gaps: np.ndarray) -> tuple[float, float]:
    """Of differences; where all are alike there is no share for Wilson's interval to stand in for."""
    return (float(gaps[0]), float(gaps[0])) if np.ptp(gaps) == 0 else interval(gaps)

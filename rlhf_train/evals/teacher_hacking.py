"""Teacher hacking (Tiapkin et al., 2025): while a student comes closer to its teacher, it moves away from the oracle.

Traces of a run: steps, the proxy distance (teacher to student) and the golden one (oracle to student), both
of held-out prompts. Where there is no oracle, a departure of the proxy from its power law is the only sign.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from rlhf_train.errors import TrainingError
from rlhf_train.evals.intervals import interval

Numbers = Sequence[float] | np.ndarray

WINDOW = (10, 320)  # steps that a power law is fitted to
LEAST = 0.05  # of a residual that counts, in nats of the logarithm: one of noiseless traces has no deviation
REGIMES = {(True, True): "improve", (True, False): "hack", (False, False): "overfit", (False, True): "lucky"}


@dataclass(frozen=True, slots=True)
class PowerLaw:
    """value = scale * step ** slope, and the deviation of its residuals where it was fitted."""

    slope: float
    scale: float
    deviation: float

    def residuals(self, steps: Numbers, values: Numbers) -> np.ndarray:
        """[T] log value - log of the law."""
        return np.log(_positive(values)) - np.log(self.scale) - self.slope * np.log(_positive(steps))


@dataclass(frozen=True, slots=True)
class Rebound:
    """How far the golden distance rose from its least, at `step`, to the end; and what of that is whose.

    `teacher` would be there for a perfect imitation too: the student had come closer to the oracle than the teacher is.
    `data` is what it ends beyond the teacher's own distance: of finite data. They add up to `total`.
    """

    step: float
    total: float
    teacher: float
    data: float


@dataclass(frozen=True, slots=True)
class Hacking:
    """What came of a distillation: the golden distance at its least, at step `best`, and at the end; the proxy at both.

    The ends of `rebound` are of a 95 % bootstrap over prompts, the best step held. `departs` is where the proxy leaves its
    power law, `residual` how far above it ends. Without an oracle all that is golden is None, and so is what rests on it.
    """

    verdict: str
    best: float | None
    golden_least: float | None
    golden_last: float | None
    rebound: float | None
    rebound_low: float | None
    rebound_high: float | None
    of_teacher: float | None
    of_data: float | None
    proxy_best: float | None
    proxy_last: float
    hacks: int | None
    departs: float | None
    residual: float | None


def measure(steps: Numbers, proxy: np.ndarray, golden: np.ndarray | None = None, teacher: float | None = None) -> Hacking:
    """Of a trace: [K] steps, all after the first one, [K, P] distances of held-out prompts, and the teacher's own golden one.

    healthy: gold does not come back up; limited by the teacher: it does, and not beyond the teacher's own; hacking: beyond
    it, while the proxy falls; overfitted: with the proxy. Where nothing is golden: departs or healthy.
    """
    mean = proxy.mean(1)
    departs, residual = _law_left(steps, mean)
    if golden is None:
        none = dict.fromkeys((each.name for each in fields(Hacking)), None)
        verdict = "healthy" if departs is None else "departs"
        return Hacking(**{**none, "verdict": verdict, "proxy_last": mean[-1], "departs": departs, "residual": residual})
    gold = golden.mean(1)
    best = int(gold.argmin())
    low, high = interval(golden[-1] - golden[best])
    own = float("nan") if teacher is None else teacher
    found = rebound(steps, gold, own)
    return Hacking(
        verdict=_verdict(low, found, mean[best], mean[-1]),
        best=found.step,
        golden_least=gold[best],
        golden_last=gold[-1],
        rebound=found.total,
        rebound_low=low,
        rebound_high=high,
        of_teacher=None if teacher is None else found.teacher,
        of_data=None if teacher is None else found.data,
        proxy_best=mean[best],
        proxy_last=mean[-1],
        hacks=regimes(mean, gold)[best:].count("hack"),
        departs=departs,
        residual=residual,
    )


def _verdict(low: float, found: Rebound, proxy_best: float, proxy_last: float) -> str:
    if not low > 0:
        return "healthy"
    if found.data <= 0:
        return "limited by the teacher"
    return "hacking" if proxy_last <= proxy_best else "overfitted"


def _law_left(steps: Numbers, proxy: np.ndarray) -> tuple[float | None, float | None]:
    """Where the law is left and how far above it the last measurement is; neither of a run too short to fit one."""
    try:
        law = power_law(steps, proxy)
    except TrainingError:
        return None, None
    return departure(steps, proxy), float(law.residuals(steps, proxy)[-1])


def power_law(steps: Numbers, values: Numbers, *, window: tuple[float, float] = WINDOW) -> PowerLaw:
    """By least squares of the logarithms, over the steps within `window`; TrainingError where fewer than three are."""
    at, of = _positive(steps), _positive(values)
    kept = (at >= window[0]) & (at <= window[1])
    if kept.sum() < 3:
        raise TrainingError(
            f"a power law is fitted to three measurements at least, and {int(kept.sum())} lie in steps {window[0]:g} to "
            f"{window[1]:g}; measure more often or widen the window"
        )
    slope, level = np.polyfit(np.log(at[kept]), np.log(of[kept]), 1)
    found = PowerLaw(float(slope), float(np.exp(level)), 0.0)
    spread = found.residuals(at[kept], of[kept]).std(ddof=2)
    return PowerLaw(found.slope, found.scale, float(spread))


def departure(
    steps: Numbers,
    values: Numbers,
    *,
    window: tuple[float, float] = WINDOW,
    deviations: float = 3.0,
    least: float = LEAST,
    in_a_row: int = 2,
) -> float | None:
    """The first step after the window from which `in_a_row` measurements lie above the window's law, or None.

    Above it by so many deviations of the residuals there, and by `least` at any rate.
    """
    law = power_law(steps, values, window=window)
    high = (law.residuals(steps, values) > max(deviations * law.deviation, least)) & (np.asarray(steps) > window[1])
    for at in range(len(high) - in_a_row + 1):
        if high[at : at + in_a_row].all():
            return float(steps[at])
    return None


def regimes(proxy: Numbers, golden: Numbers, *, smooth: int = 3) -> list[str]:
    """Of each interval between measurements, smoothed over as many: improve, hack, overfit or lucky.

    To hack is to fall by the proxy and to rise by gold. A proxy that stands still is one that doesn't fall.
    """
    changes = [np.diff(_smoothed(_same(proxy, golden)[at], smooth)) for at in range(2)]
    return [REGIMES[bool(nearer < 0), bool(better <= 0)] for nearer, better in zip(*changes, strict=True)]


def rebound(steps: Numbers, golden: Numbers, teacher: float) -> Rebound:
    """Of the golden distance; `teacher` is the teacher's own."""
    values = _same(steps, golden)[1]
    best = int(values.argmin())
    least, last = values[best], values[-1]
    return Rebound(float(steps[best]), float(last - least), float(teacher - least), float(last - teacher))


def _smoothed(values: np.ndarray, width: int) -> np.ndarray:
    """Centred means of `width`, of fewer at the ends."""
    if width % 2 == 0:
        raise TrainingError(f"what is smoothed is centred, so smooth must be odd, got {width}")
    half = width // 2
    return np.array([values[max(at - half, 0) : at + half + 1].mean() for at in range(len(values))])


def _positive(values: Numbers) -> np.ndarray:
    found = np.asarray(values, dtype=float)
    if not (np.isfinite(found) & (found > 0)).all():
        raise TrainingError("a power law is of finite numbers above 0; leave out step 0, and distances that are exact zeros")
    return found


def _same(one: Numbers, other: Numbers) -> tuple[np.ndarray, np.ndarray]:
    first, second = np.asarray(one, dtype=float), np.asarray(other, dtype=float)
    if len(first) != len(second) or len(first) < 2:
        raise TrainingError(f"traces are measured together, twice at least, got {len(first)} and {len(second)} measurements")
    return first, second

"""What goal_rewards.py asks of its lines, and the curve that it draws of them."""

from collections.abc import Mapping
from typing import Any

import _chains
import numpy as np
from scipy import stats

SHARES = tuple(round(0.1 * at, 1) for at in range(2, 11))
#: name -> (the arm's number, the plain arm's that it is held against, what is asked of the mean)
CRITERIA: Mapping[str, tuple[str, str, str]] = {
    "gain at 60 %, head against head": ("at 60 %: AUROC of the head", "at 60 %: AUROC of the head", ">= 0.1"),
    "gain at 60 %, Q against head": ("at 60 %: AUROC of Q", "at 60 %: AUROC of the head", ">= 0.1"),
    "AUROC of least Q": ("AUROC of least Q", "", ">= 0.75"),
    "jump of Q": ("jump of Q", "", "<= -0.3"),
    "tokens saved at noise 0.1": ("noise 0.1: tokens saved", "", ">= 0.25"),
    "votes gained at noise 0.1": ("noise 0.1: votes won", "noise 0.1: votes won without", ">= 0"),
    "votes gained at noise 0.4": ("noise 0.4: votes won", "noise 0.4: votes won without", ">= 0"),
    "gain of AUROC": ("AUROC", "AUROC", "told"),
    "gain of AUROC, longer chains": ("longer: AUROC", "longer: AUROC", "told"),
    "gain of least Q": ("AUROC of least Q", "AUROC of least Q", "told"),
    "steps right, led less alone": ("steps right, led", "steps right, alone", "told"),
}
WITHIN = ("votes won", "steps right")  # held against the same arm's


def by_seed(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A line a number and seed, both arms side by side."""
    plain, contrast = ([line for line in lines if line["arm"] == arm] for arm in ("plain", "contrast"))
    return [
        {"what": name, "seed": first["seed"], "plain": value, "contrast": second[name]}
        for first, second in zip(plain, contrast, strict=True)
        for name, value in first.items()
        if name not in ("seed", "arm")
    ]


def judged(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A line a criterion: the mean over seeds, paired where it is a difference, with a 95 % t-interval."""
    plain, contrast = ([line for line in lines if line["arm"] == arm] for arm in ("plain", "contrast"))
    found = []
    for name, (own, other, wanted) in CRITERIA.items():
        values = np.array([line[own] for line in contrast])
        if other:
            values -= [line[other] for line in (contrast if any(part in other for part in WITHIN) else plain)]
        mean, error = values.mean(), stats.sem(values)
        reach = stats.t.ppf(0.975, len(values) - 1) * error
        sign, _, bound = wanted.partition(" ")
        holds = "" if not bound else bool(mean >= float(bound) if sign == ">=" else mean <= float(bound))
        found.append(
            {
                "what": name,
                "mean": mean,
                "low": mean - reach,
                "high": mean + reach,
                "se": error,
                "asked": wanted,
                "holds": holds,
            }
        )
    return [{key: float(value) if isinstance(value, np.floating) else value for key, value in row.items()} for row in found]


def chart(lines: list[dict[str, Any]]) -> Any:
    """AUROC by how much of a chain is known: every seed thin, means thick, and the best that can be told."""
    import altair as alt
    import polars as pl

    rows = [
        {"share": share, "AUROC": value, "scored by": f"{line['arm']}, {name}", "seed": line["seed"]}
        for line in lines
        for name, key in (("head", "heads by share"), ("Q", "Qs by share"))
        for share, value in zip(SHARES, line[key], strict=True)
    ]
    tokens = 2 * _chains.STEPS + 1
    known = [min(int(share * tokens) // 2, _chains.STEPS) / _chains.STEPS for share in SHARES]
    best = [{"share": share, "AUROC": (1 + part) / 2} for share, part in zip(SHARES, known, strict=True)]
    base = alt.Chart(pl.DataFrame(rows)).encode(
        x=alt.X("share", title="share of the chain"), y=alt.Y("AUROC", scale=alt.Scale(domain=[0.3, 1])), color="scored by"
    )
    ceiling = alt.Chart(pl.DataFrame(best)).mark_line(strokeDash=[4, 4], color="black").encode(x="share", y="AUROC")
    means = base.mark_line(strokeWidth=3).encode(y="mean(AUROC)")
    return (base.mark_line(opacity=0.25).encode(detail="seed") + means + ceiling).properties(width=420, height=280)

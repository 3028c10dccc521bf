"""MODPO's front between two rewards, in a world where the best policy for every weighting is known exactly.

    python benchmarks/modpo_front.py [--seeds 0 1 2] [--beta 1] [--pairs 20000] [--size 1024] [--steps 800] [--again]

normJ = (J(pi) - J(reference)) / (J(best) - J(reference)) with J = E[w r1 + (1 - w) r2] - beta KL(pi || reference), all exact.
Volumes lie between a front and the reference, as shares of the best front's: of (r1, r2), where it costs nothing to go further
from the reference, and of (r1, r2) - beta KL, whose front the best policies are. See _fronts.py for the methods. With --again
the lines that are stored are told once more.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from typing import Any

import _report
import numpy as np
from _fronts import BEGUN, BEST, ENDS, METHODS, SWEEP, measured, prepared
from scipy.stats import t as student

from rlhf_train import pareto

PAIRS = 20_000
VOLUMES = ("volume", "volume after KL")
Lines = Sequence[Mapping[str, Any]]


def fronts(lines: Lines) -> list[dict[str, Any]]:
    """Of each method at a seed the volumes of its front as shares of the best one's, and whether it is monotone in w."""
    points = {
        name: np.array([[line["r1"], line["r2"]] for line in lines if line["method"] == name])
        for name in (BEST, BEGUN, *METHODS)
    }
    costs = {name: np.array([[line["beta"] * line["kl"]] for line in lines if line["method"] == name]) for name in points}
    free, paid = (
        {name: pareto.hypervolume(each - paying * costs[name], points[BEGUN][0]) for name, each in points.items()}
        for paying in (0, 1)
    )
    return [
        {
            "seed": lines[0]["seed"],
            "method": name,
            "volume": free[name] / free[BEST],
            "volume after KL": paid[name] / paid[BEST],
            "is monotone": bool((np.diff(points[name], axis=0) * [1, -1] > 0).all()),
        }
        for name in METHODS
    ]


def interval(values: Sequence[float]) -> dict[str, float]:
    """The mean and its 95 % interval over seeds."""
    mean, count = float(np.mean(values)), len(values)
    half = float(student.ppf(0.975, count - 1) * np.std(values, ddof=1) / count**0.5) if count > 1 else float("nan")
    return {"mean": mean, "low": mean - half, "high": mean + half}


def criteria(scores: Lines, shares: Lines, is_monotone: bool) -> dict[str, bool]:
    """What a faithful reproduction has to show, of means over seeds; monotone at every seed."""
    means = {(row["method"], row["w"]): row["mean"] for row in scores}
    true, learned, soup = (np.array([means[name, own] for own in SWEEP]) for name in METHODS[:3])
    free, paid = ({row["method"]: row["mean"] for row in shares if row["of"] == what} for what in VOLUMES)
    return {
        "true margin: normJ >= .90 everywhere": bool((true >= 0.90).all()),
        "true margin: normJ >= .95 at w <= .5": bool((true[np.array(SWEEP) <= 0.5] >= 0.95).all()),
        "implicit margin within .03 of true": bool((abs(true - learned) <= 0.03).all()),
        "implicit margin above soup everywhere": bool((learned > soup).all()),
        "volume with implicit margin >= .90": free["implicit"] >= 0.90,
        "volume: implicit > soup > LW": free["implicit"] > free["soup"] > free["LW"],
        "fronts of MODPO monotone in w at every seed": is_monotone,
        "(our own) volume after KL: true > soup and LW": paid["true"] > max(paid["soup"], paid["LW"]),
        "(our own) volume after KL: implicit > soup and LW": paid["implicit"] > max(paid["soup"], paid["LW"]),
    }


def report(lines: Lines, called: str) -> None:
    """Tables over seeds, which criteria hold, and the picture; printed and written."""
    seeds = dict.fromkeys(line["seed"] for line in lines)
    each = [row for seed in seeds for row in fronts([line for line in lines if line["seed"] == seed])]
    scores = [
        {"method": name, "w": own, **interval([at["normJ"] for at in lines if (at["method"], at["w"]) == (name, own)])}
        for name in METHODS
        for own in ENDS
    ]
    shares = [
        {"of": what, "method": name, **interval([row[what] for row in each if row["method"] == name])}
        for what in VOLUMES
        for name in METHODS
    ]
    held = criteria(scores, shares, all(row["is monotone"] for row in each if row["method"] in METHODS[:2]))
    _report.save(called, lines)
    _report.save(f"{called}_normj", scores)
    _report.save(f"{called}_volumes", shares)
    _report.save(f"{called}_criteria", [{"criterion": name, "holds": value} for name, value in held.items()])
    _report.draw(called, drawing(lines))


def drawing(lines: Lines) -> Any:
    """Fronts, a panel a seed."""
    import altair as alt

    shown = [{name: line[name] for name in ("seed", "method", "w", "r1", "r2")} for line in lines if line["method"] != BEGUN]
    scale, order = alt.Scale(zero=False), [BEST, *METHODS]
    line = alt.Chart(alt.Data(values=shown)).encode(
        x=alt.X("r1:Q", scale=scale, title="E[r1]"),
        y=alt.Y("r2:Q", scale=scale, title="E[r2]"),
        color=alt.Color("method:N", sort=order),
        order="w:Q",
    )
    return (line.mark_line() + line.mark_point(filled=True)).properties(width=260, height=240).facet("seed:N", columns=3)


def main() -> None:
    """Trains, or reads what was trained, and reports."""
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    ask.add_argument("--beta", type=float, default=1.0)
    ask.add_argument("--pairs", type=int, default=PAIRS)
    ask.add_argument("--size", type=int, default=1024)
    ask.add_argument("--steps", type=int, default=800)
    ask.add_argument("--again", action="store_true")
    given = ask.parse_args()
    called = "modpo_front" if given.pairs == PAIRS else f"modpo_front_{given.pairs}"
    lines: list[dict[str, Any]] = json.loads((_report.RESULTS / f"{called}.json").read_text())["rows"] if given.again else []
    for seed in [] if given.again else given.seeds:
        lines += measured(prepared(seed, given.beta, given.size, given.steps), given.pairs)
        print(*fronts([line for line in lines if line["seed"] == seed]), sep="\n", flush=True)
    report(lines, called)


if __name__ == "__main__":
    main()

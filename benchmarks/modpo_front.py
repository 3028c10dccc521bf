"""MODPO's front between two rewards, in a world where the best policy for every weighting is known exactly.

    python benchmarks/modpo_front.py [--seeds 0 1 2 3 4] [--beta 1] [--pairs 20000] [--steps 400]

normJ = (J(pi) - J(reference)) / (J(best) - J(reference)) with J = E[w r1 + (1 - w) r2] - beta KL(pi || reference), all exact;
volumes are those between a front and the reference, as shares of the best front's. See _fronts.py for the methods.
"""

import argparse
from collections.abc import Mapping
from typing import Any

import _report
import numpy as np
from _fronts import METHODS, SWEEP, fronts, measured, prepared
from scipy.stats import t as student


def interval(values: list[float]) -> dict[str, float]:
    """The mean and its 95 % interval over seeds."""
    mean, count = float(np.mean(values)), len(values)
    half = float(student.ppf(0.975, count - 1) * np.std(values, ddof=1) / count**0.5) if count > 1 else float("nan")
    return {"mean": mean, "low": mean - half, "high": mean + half}


def criteria(scores: Mapping[tuple[str, float], float], shares: Mapping[str, float], monotone: bool) -> dict[str, bool]:
    """What a faithful reproduction has to show, of means over seeds; monotone at every seed."""
    true, learned, soup = ([scores[name, own] for own in SWEEP] for name in METHODS[:3])
    return {
        "true margin: normJ >= .90 everywhere": min(true) >= 0.90,
        "true margin: normJ >= .95 at w <= .5": min(score for own, score in zip(SWEEP, true, strict=True) if own <= 0.5)
        >= 0.95,
        "implicit margin within .03 of true": max(abs(one - other) for one, other in zip(true, learned, strict=True)) <= 0.03,
        "implicit margin above soup everywhere": all(one > other for one, other in zip(learned, soup, strict=True)),
        "volume with implicit margin >= .90": shares["implicit"] >= 0.90,
        "volume: implicit > soup > LW": shares["implicit"] > shares["soup"] > shares["LW"],
        "fronts of MODPO monotone in w at every seed": monotone,
    }


def drawing(lines: list[dict[str, Any]]) -> Any:
    """Fronts, a panel a seed."""
    import altair as alt

    shown = alt.Data(values=[{name: line[name] for name in ("seed", "method", "w", "r1", "r2")} for line in lines])
    scale, order = alt.Scale(zero=False), ["closed form", *METHODS]
    line = alt.Chart(shown).encode(
        x=alt.X("r1:Q", scale=scale, title="E[r1]"),
        y=alt.Y("r2:Q", scale=scale, title="E[r2]"),
        color=alt.Color("method:N", sort=order),
        order="w:Q",
    )
    return (line.mark_line() + line.mark_point(filled=True)).properties(width=260, height=240).facet(column="seed:N")


def main() -> None:
    """Prints the table, the volumes and the criteria, writes them and draws the fronts."""
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    ask.add_argument("--beta", type=float, default=1.0)
    ask.add_argument("--pairs", type=int, default=20_000)
    ask.add_argument("--steps", type=int, default=400)
    given = ask.parse_args()
    lines, volumes = [], []
    for seed in given.seeds:
        setting = prepared(seed, given.beta, given.steps)
        own = measured(setting, given.pairs)
        lines, volumes = lines + own, volumes + fronts(own, setting)
        print(*own, *volumes[-len(METHODS) :], sep="\n", flush=True)
    scores = {
        (name, own): interval([line["normJ"] for line in lines if (line["method"], line["w"]) == (name, own)])
        for name in METHODS
        for own in (0.0, *SWEEP, 1.0)
    }
    shares = {name: interval([row["volume"] for row in volumes if row["method"] == name]) for name in METHODS}
    held = criteria(
        {key: value["mean"] for key, value in scores.items()},
        {key: value["mean"] for key, value in shares.items()},
        all(row["is monotone"] for row in volumes if row["method"] in METHODS[:2]),
    )
    _report.save("modpo_front", lines)
    _report.save("modpo_front_normj", [{"method": name, "w": own, **value} for (name, own), value in scores.items()])
    _report.save("modpo_front_volumes", [{"method": name, **value} for name, value in shares.items()])
    _report.save("modpo_front_criteria", [{"criterion": name, "holds": value} for name, value in held.items()])
    _report.draw("modpo_front", drawing(lines))


if __name__ == "__main__":
    main()

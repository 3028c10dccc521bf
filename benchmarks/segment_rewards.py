"""Rewards of segments on a language whose phrases have hidden rewards: which phrase is credited, and what PPO makes of it.

    python benchmarks/segment_rewards.py [--seeds 1 2 3 4 5] [--updates 200]

A seed is another language. Reward models learn 9600 pairs once. PPO takes one step on 64 answers an update; whatever the grain,
a nat of KL costs the same raw reward. Its settings were found on seed 0, which is not among the seeds.
"""

import argparse
import dataclasses
import time
from typing import Any

import _credit
import _report
import altair as alt
import numpy as np
import polars as pl
from scipy.stats import t as student

SMOOTH = 10  # updates that are averaged
BUDGET = 1.5  # nats of KL
EARLY = 60  # updates of what shows soon: length


def credit_lines(seed: int) -> tuple[list[dict[str, Any]], _credit.World, dict[str, Any]]:
    """A line a language and grain; the world without noise and its judges."""
    lines, kept = [], {}
    for language, noise, grains in (("noisy", 0.1, ("segment", "token")), ("clean", 0.0, tuple(_credit.GRAINS))):
        given = _credit.world(seed, noise=noise)
        for grain in grains:
            begun = time.process_time()
            judge = kept[grain] = _credit.taught(given, grain, seed)
            credit, agree = _credit.credited(judge, given)
            told = {"language": language, "seed": seed, "grain": grain, "boundary F1": _credit.boundary_f1(judge, given)}
            told |= {"credit": credit, "tokens agree": agree, "pair accuracy": _credit.accuracy(judge, given)}
            lines.append({**told, "seconds": time.process_time() - begun})
            print(lines[-1], flush=True)
    return lines, given, kept


def runs(seed: int, given: _credit.World, judges: dict[str, Any], updates: int) -> list[dict[str, Any]]:
    """A line an update of every run: gains of each grain, then sums, even and repeated, as they are and less one deviation.

    Sums pay as often as there are segments, so that their KL costs as many times as much.
    """
    gains = {grain: (dataclasses.replace(judge, total="gain"), updates) for grain, judge in judges.items()}
    segment = judges["segment"]
    lower = dataclasses.replace(segment.normaliser, mean_end=segment.normaliser.mean_end + segment.normaliser.std_end)
    sums = {
        f"{name}, {spread}": (dataclasses.replace(segment, normaliser=normaliser, spread=spread), EARLY)
        for name, normaliser in (("sum", segment.normaliser), ("sum less one", lower))
        for spread in ("even", "repeat")
    }
    said = segment.segments(segment.trees(given.held_out["prompt"], given.held_out["chosen"]))
    lines, segments = [], len(said.values) / len(given.held_out["prompt"])
    for name, (judge, count) in {**gains, **sums}.items():
        times = segments if judge.total == "sum" else 1.0
        found = _credit.learned(judge, given, seed, updates=count, kl_weight=times * _credit.cost(judge))
        lines += [{"run": name, "seed": seed, **row} for row in found]
        print(
            {"run": name, "seed": seed}
            | {key: float(np.mean([row[key] for row in found[-SMOOTH:]])) for key in ("gold", "kl", "tokens")},
            flush=True,
        )
    return lines


def summary(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A line a run and seed: where it ends, what it is worth at BUDGET, and when it was first worth what bandit ends with."""
    table, lines = pl.DataFrame(rows), []
    for (name, seed), own in table.group_by("run", "seed", maintain_order=True):
        bandit = table.filter(run="bandit", seed=seed)["gold"]
        mine, last = _smooth(own["gold"]), _smooth(bandit)[-1]
        reached = np.flatnonzero(mine >= last)
        within = np.flatnonzero(_smooth(own["kl"]) >= BUDGET)
        told = {"run": name, "seed": seed, "updates": len(own), "gold": mine[-1], "kl": _smooth(own["kl"])[-1]}
        told |= {"tokens": _smooth(own["tokens"])[-1], f"gold at {BUDGET} nats": mine[within[0]] if len(within) else None}
        told["updates at that"] = int(within[0]) + SMOOTH if len(within) else None
        lines.append({**told, "share of bandit's updates": (reached[0] + SMOOTH) / len(bandit) if len(reached) else None})
    return lines


def criteria(credit: list[dict[str, Any]], scales: list[dict[str, Any]], ppo: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What was asked for, what was measured on every seed, and whether it holds on all."""
    held, noisy = (
        {(row["seed"], row["grain"]): row for row in credit if row["language"] == kind} for kind in ("clean", "noisy")
    )
    seeds = sorted({seed for seed, _ in held})
    end = {(row["seed"], row["run"]): row for row in ppo}

    def of(grain: str, name: str) -> list[float]:
        return [held[seed, grain][name] for seed in seeds]

    less = [one - other for one, other in zip(of("segment", "credit"), of("bandit", "credit"), strict=True)]
    apart = [abs(one - other) for one, other in zip(of("segment", "pair accuracy"), of("bandit", "pair accuracy"), strict=True)]
    shares = [end[seed, "segment"]["share of bandit's updates"] for seed in seeds]

    def drift(form: str, told: str) -> list[float]:
        return [abs(row["correlation with p"]) for row in scales if (row["normaliser"], row["told of"]) == (form, told)]

    shorter = [end[seed, "sum, repeat"]["tokens"] - end[seed, "sum, even"]["tokens"] for seed in seeds]
    lower = [end[seed, "sum less one, repeat"]["tokens"] - end[seed, "sum less one, even"]["tokens"] for seed in seeds]
    agree = [noisy[seed, "segment"]["tokens agree"] - noisy[seed, "token"]["tokens agree"] for seed in seeds]
    return [
        _line("boundary F1 at least 0.99", of("segment", "boundary F1"), lambda value: value >= 0.99),
        _line("credit of segments at least 0.95", of("segment", "credit"), lambda value: value >= 0.95),
        _line("credit of segments less bandit's at least 0.3", less, lambda value: value >= 0.3),
        _line("pair accuracy within 0.02 of bandit's", apart, lambda value: value <= 0.02),
        _line("distractors: tokens of a phrase agree, segment less token, above 0", agree, lambda value: value > 0),
        _line("drifting rewards: correlation with p above 0.3", drift("none", "other chosen"), lambda value: value > 0.3),
        _line("normalised by position: at most 0.05", drift("by position", "other chosen"), lambda value: value <= 0.05),
        _line(
            "the same of rejected sides, where no scale was fitted (not asked for)",
            drift("by position", "rejected"),
            lambda value: value <= 0.05,
        ),
        _line(
            "PPO: segment reaches bandit's last reward in at most 0.6 of its updates",
            shares,
            lambda value: value is not None and value <= 0.6,
        ),
        _line("repeat shortens answers: tokens less even's below 0", shorter, lambda value: value < 0),
        _line("the same with rewards less one deviation (not asked for)", lower, lambda value: value < 0),
    ]


def _line(asked: str, measured: list[Any], holds: Any) -> dict[str, Any]:
    known = [value for value in measured if value is not None]
    wide = student.ppf(0.975, len(known) - 1) * np.std(known, ddof=1) / len(known) ** 0.5 if len(known) > 1 else float("nan")
    told = {"asked": asked, "mean": float(np.mean(known)) if known else None, "half of its 95 % interval": float(wide)}
    each = ", ".join("never" if value is None else f"{value:.3f}" for value in measured)
    return {**told, "each seed": each, "holds": f"{sum(map(holds, measured))} of {len(measured)}"}


def _smooth(values: Any) -> np.ndarray:
    """Means over SMOOTH updates, the first of the first ones."""
    return np.convolve(np.asarray(values), np.ones(SMOOTH) / SMOOTH, mode="valid")


def chart(rows: list[dict[str, Any]]) -> alt.Chart:
    """What answers are truly worth, of every run."""
    smooth = [
        {"run": name, "seed": seed, "update": at + SMOOTH, "gold": value}
        for (name, seed), own in pl.DataFrame(rows).group_by("run", "seed", maintain_order=True)
        for at, value in enumerate(_smooth(own["gold"]))
        if name in (*_credit.GRAINS, "sum, even")
    ]
    base = alt.Chart(alt.Data(values=smooth)).encode(x=alt.X("update:Q", title="updates of 64 answers"))
    colour = alt.Color("run:N", title=None)
    each = base.mark_line(opacity=0.3, strokeWidth=1).encode(y="gold:Q", color=colour, detail="seed:N")
    mean = base.mark_line(strokeWidth=2.5).encode(y=alt.Y("mean(gold):Q", title="true reward of answers"), color=colour)
    return (each + mean).properties(width=460, height=280)


def main() -> None:
    """Prints and writes credit, normalisers, curves and their summary, and what holds of what was asked for."""
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4, 5])
    ask.add_argument("--updates", type=int, default=200)
    given = ask.parse_args()
    begun, credit, scales, rows = time.process_time(), [], [], []
    for seed in given.seeds:
        lines, world, judges = credit_lines(seed)
        credit += lines
        scales += _credit.drift_lines(seed, world, judges["segment"])
        rows += runs(seed, world, judges, given.updates)
    ppo = summary(rows)
    _report.save("segment_rewards", credit)
    _report.save("segment_rewards_normaliser", scales)
    _report.save("segment_rewards_ppo", ppo)
    _report.save("segment_rewards_criteria", criteria(credit, scales, ppo))
    _report.draw("segment_rewards", chart(rows))
    print(f"{time.process_time() - begun:.0f} seconds of one core")


if __name__ == "__main__":
    main()

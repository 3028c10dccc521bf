"""Intuitive fine-tuning on Frozen Lake and on sums, beside what it is made of and the methods that it is compared with.

    python benchmarks/ift.py [--lakes 20] [--seeds 0 1 2]

Frozen Lake: all learn the same walk, or that and one into a hole, from the same weights of each seed. Told is the mean squared
distance from the best policy's chances over the 11 states in which something is decided, and by how much it exceeds that of
supervised fine-tuning, seed by seed. Sums: a Llama that knows half of them is fine-tuned for 100 steps by each method, at a
tenth of the learning rate by which it was taught and at the whole; told is how many held-out ones it then answers rightly.
"""

import argparse
import functools
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import _frozen_lake as lake
import _lake_lessons as lessons
import _report
import _sums as sums
import numpy as np

STEPS = 100  # of fine-tuning on sums
METHODS: Mapping[str, dict[str, Any]] = {
    "SFT": {"gamma": 0.0, "mix": 0.0, "embeddings": "live"},
    "SFT, frozen embeddings": {"gamma": 0.0, "mix": 0.0},
    "residual alone": {"gamma": 0.0},
    "propagation alone": {"mix": 0.0},
    "IFT": {},
    "IFT, detached": {"detach": True},
    "IFT, eq. 21": {"form": "eq21"},
    "IFT, algorithm 1": {"form": "algorithm1"},
}
OF_EMBEDDINGS = ("SFT, frozen embeddings",)  # a state of the lake is none


def walkers() -> Mapping[str, Callable[[int], lake.Walker]]:
    """A learner by seed for each method on the lake."""
    rows = {
        name: (lessons.IMITATION, {key: value for key, value in numbers.items() if key != "embeddings"})
        for name, numbers in METHODS.items()
        if name not in OF_EMBEDDINGS
    }
    rows |= {"ORPO": (lessons.ODDS, {}), "DPO": (lessons.PREFERENCE, {})}
    return {
        name: functools.partial(lessons.learned, objective=objective, numbers=numbers)
        for name, (objective, numbers) in rows.items()
    }


def on_the_lake(count: int) -> list[dict[str, Any]]:
    """A line a method: its distance, and what it has over SFT's, with standard errors over `count` seeds."""
    wanted = lessons.target()
    far = {
        name: np.array([np.square(learn(seed).chances() - wanted).mean() for seed in range(count)])
        for name, learn in walkers().items()
    }
    return [
        {"method": name, "distance": float(own.mean()), "se": _error(own), **_paired("over SFT", own, far["SFT"])}
        for name, own in far.items()
    ]


def on_sums(seeds: Sequence[int]) -> list[dict[str, Any]]:
    """A line a method, learning rate and seed."""
    lines: list[dict[str, Any]] = []
    for seed in seeds:
        learned, tested = sums.tables(seed)
        base, steps = sums.base(learned, tested, seed)
        right, nll = sums.measured(base, tested)
        lines.append(
            {"seed": seed, "method": "base", "lr": 0.0, "right": right, "nll": nll, "pushed away": 0.0, "steps": steps}
        )
        for lr in (sums.LR / 10, sums.LR):
            for name, numbers in METHODS.items():
                tuned, pushed = sums.taught(base, learned, numbers, steps=STEPS, lr=lr, seed=seed)
                right, nll = sums.measured(tuned, tested)
                line = {"method": name, "lr": lr, "right": right, "nll": nll, "pushed away": pushed, "steps": STEPS}
                lines.append({"seed": seed, **line})
                print(lines[-1], flush=True)
    return lines


def summed(lines: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Means over seeds, the base's beside, and what each method has over SFT at the same rate, seed by seed."""
    found = []
    for lr in (sums.LR / 10, sums.LR):
        for name in METHODS:
            own, base = _column(lines, name, lr, "right"), _column(lines, "base", 0.0, "right")
            more = _paired("over SFT", own, _column(lines, "SFT", lr, "right"))
            told = {key: float(_column(lines, name, lr, key).mean()) for key in ("nll", "pushed away")}
            line = {"method": name, "lr": lr, "base right": float(base.mean()), "right": float(own.mean()), "se": _error(own)}
            found.append({**line, **more, **told})
    return found


def criteria(lakes: Sequence[Mapping[str, Any]], lines: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What had to hold, and whether it did."""
    on_lake = {line["method"]: line for line in lakes}["IFT"]
    worst = {line["method"]: line["over SFT"] for line in summed(lines) if line["lr"] == sums.LR / 10}
    name = min(worst, key=lambda method: worst[method])
    base = min(_column(lines, "base", 0.0, "right"))
    return [
        {
            "criterion": "Frozen Lake: IFT no further than SFT by 2 standard errors",
            "measured": f"{on_lake['over SFT']:+.4f}, se {on_lake['over SFT se']:.4f}",
            "holds": bool(on_lake["over SFT"] <= 2 * on_lake["over SFT se"]),
        },
        {
            "criterion": "sums, base >= 0.5, lr / 10: no method loses more than 0.02",
            "measured": f"base {base:.3f}; worst is {name}, {worst[name]:+.3f}",
            "holds": bool(base >= 0.5 and worst[name] >= -0.02),
        },
    ]


def _column(lines: Sequence[Mapping[str, Any]], method: str, lr: float, key: str) -> np.ndarray:
    return np.array([line[key] for line in lines if line["method"] == method and line["lr"] == lr])


def _paired(name: str, own: np.ndarray, other: np.ndarray) -> dict[str, float]:
    return {name: float((own - other).mean()), f"{name} se": _error(own - other), "seeds below": int((own < other).sum())}


def _error(values: np.ndarray) -> float:
    """The standard error of a mean."""
    return float(values.std(ddof=1) / len(values) ** 0.5)


def main() -> None:
    """Prints three tables and writes them."""
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--lakes", type=int, default=20)
    ask.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    given = ask.parse_args()
    warnings.filterwarnings("ignore", message="ift: some tokens")  # their share is told
    lakes, lines = on_the_lake(given.lakes), on_sums(given.seeds)
    _report.save("ift_lake", lakes)
    _report.save("ift_sums", summed(lines))
    _report.save("ift", [*criteria(lakes, lines)])


if __name__ == "__main__":
    main()

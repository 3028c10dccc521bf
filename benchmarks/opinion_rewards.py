"""Rewards of features beside a reward of text on OpinPref: accuracy by number of pairs, and what noise in labels leaves of it.

    python benchmarks/opinion_rewards.py [--repeats 10]

Ten times five-fold cross-validation over products, with 95 % bootstrap intervals over them; where the file of the published 140
validation pairs stands beside the other (annotations-valid.jsonl.gz), also what is learned of the one and told of the other.
Real rows are read from ANTIVENOM_REAL_DATA.
"""

import argparse
import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import _report
import altair as alt
import numpy as np
import polars as pl

from pipelines.attacks import proxy
from pipelines.opinions import summary_id
from pipelines.schema import FEATURE_NAMES, FULL_MARKS
from pipelines.sources import opinpref
from rlhf_train.errors import TrainingError
from rlhf_train.evals import data_efficiency, reward_accuracy
from rlhf_train.evals.data_efficiency import Judge
from rlhf_train.models import feature_rewards

SIZES = (25, 50, 100, 200, 400, 1000)
FLIPPED = (0.1, 0.2, 0.3, 0.4)
PHIS: dict[str, tuple[str, dict[str, Any]]] = {
    "naive mean": ("naive_mean", {}),
    "linear": ("linear", {}),
    "linear, no weight below 0": ("linear", {"nonnegative": True}),
    "monotone additive": ("monotone_additive", {}),
    "feed-forward": ("feed_forward", {}),
}
UNTAUGHT = ("naive mean", "longer is better")

Turned = Callable[[np.ndarray, int], np.ndarray]  # (places learned, seed) -> those whose labels are turned round


class Rows:
    """Pairs with what each judge reads: features and words of both sides, and lengths."""

    def __init__(self, found: opinpref.Opinions) -> None:
        table = dict(zip(found.features["summary_id"], found.features.select(FEATURE_NAMES).to_numpy(), strict=True))
        prompts = found.pairs["prompt"]
        self.groups = prompts.to_list()
        self.sides = [
            np.array([table[summary_id(*each)] for each in zip(prompts, found.pairs[side], strict=True)])
            for side in ("chosen", "rejected")
        ]
        self.words = proxy.features(found.pairs)
        lengths = [found.pairs[side].str.len_chars().to_numpy().astype(int) for side in ("chosen", "rejected")]
        self.longer = lengths[0] - lengths[1]


def judges(rows: Rows, told_of: Rows, turned: Turned | None = None) -> dict[str, Judge]:
    """Each learns places of `rows` and tells places of `told_of`."""

    def labels(learned: np.ndarray) -> np.ndarray:
        signs = np.ones(len(learned))
        if turned is not None:
            signs[np.isin(learned, turned(learned, int(learned.sum())))] = -1
        return signs[:, None]

    def features(kind: str, numbers: dict[str, Any]) -> Judge:
        def judge(learned: np.ndarray, told: np.ndarray) -> np.ndarray:
            won, lost = (side[learned] for side in rows.sides)
            keeps = labels(learned) > 0
            sides = np.where(keeps, won, lost), np.where(keeps, lost, won)
            try:
                phi = feature_rewards.fit(kind, *sides, names=FEATURE_NAMES, full=FULL_MARKS, **numbers)
            except TrainingError:  # it says the same of both sides of most pairs, and is refused: a coin is as right
                return np.full(len(told), 0.5)
            return right(phi.rewards(told_of.sides[0][told]) - phi.rewards(told_of.sides[1][told]))

        return judge

    def text(learned: np.ndarray, told: np.ndarray) -> np.ndarray:
        weights = proxy.fit(rows.words[learned].multiply(labels(learned)).tocsr())
        return right(told_of.words[told] @ weights)

    def longer(learned: np.ndarray, told: np.ndarray) -> np.ndarray:
        return right(told_of.longer[told])

    return {**{name: features(*kind) for name, kind in PHIS.items()}, "text": text, "longer is better": longer}


def right(gaps: np.ndarray) -> np.ndarray:
    """1 above 0, 0 below, 1/2 for a tie."""
    return (np.sign(gaps) + 1) / 2


def at_random(share: float) -> Turned:
    """A share of the labels, whichever."""
    return lambda learned, seed: np.random.default_rng(seed).permutation(learned)[: round(share * len(learned))]


def longest(share: float, rows: Rows) -> Turned:
    """The labels of those whose chosen summary is longer by most."""
    return lambda learned, seed: learned[np.argsort(-rows.longer[learned], kind="stable")[: round(share * len(learned))]]


def measured(rows: Rows, repeats: int) -> list[dict[str, Any]]:
    """A line a judge, corruption and size."""
    whole, lines = (SIZES[-1],), []
    settings = [("as they are", 0.0, None, SIZES)]
    settings += [("at random", share, at_random(share), whole) for share in FLIPPED]
    settings += [("longest first", share, longest(share, rows), whole) for share in FLIPPED[:3]]
    for labels, share, turned, sizes in settings:
        for name, judge in judges(rows, rows, turned).items():
            if turned is not None and name in UNTAUGHT:
                continue
            asked = sizes[-1:] if name in UNTAUGHT else sizes
            for point in data_efficiency.measure(judge, rows.groups, sizes=asked, repeats=repeats):
                told = {"judge": name, "labels": labels, "turned": share, "pairs": point.pairs}
                lines.append(told | {"accuracy": point.accuracy, "low": point.low, "high": point.high})
                print(lines[-1], flush=True)
    return lines


def held_out(rows: Rows, tested: Rows) -> list[dict[str, Any]]:
    """A line a judge: what is learned of all rows and told of the published validation pairs."""
    lines = []
    for name, judge in judges(rows, tested).items():
        values = judge(np.arange(len(rows.groups)), np.arange(len(tested.groups)))
        found = reward_accuracy.measure(values, 1 - values)
        lines.append(
            {"judge": name, "pairs": len(rows.groups), "accuracy": found.accuracy, "low": found.low, "high": found.high}
        )
    return lines


def fitted(rows: Rows) -> list[dict[str, Any]]:
    """A line a phi: seconds to learn all pairs, the middle of five."""
    names: dict[str, Any] = {"names": FEATURE_NAMES, "full": FULL_MARKS}
    calls = {
        name: partial(feature_rewards.fit, kind, *rows.sides, **names, **numbers) for name, (kind, numbers) in PHIS.items()
    }
    seconds = _report.alternate(calls)
    return [{"phi": name, "pairs": len(rows.groups), "seconds": _report.median(each)} for name, each in seconds.items()]


def picture(lines: list[dict[str, Any]]) -> alt.LayerChart:
    """Accuracy by number of pairs, a line a judge with its interval."""
    table = pl.DataFrame(lines).filter(pl.col("labels") == "as they are")
    base = alt.Chart(table).encode(x=alt.X("pairs:Q", scale=alt.Scale(type="log")), color=alt.Color("judge:N", title=None))
    line = base.mark_line(point=True).encode(y=alt.Y("accuracy:Q", scale=alt.Scale(zero=False), axis=alt.Axis(format="%")))
    return base.mark_area(opacity=0.1).encode(y="low:Q", y2="high:Q") + line


def main() -> None:
    """Prints the lines and writes them."""
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--repeats", type=int, default=10)
    given = ask.parse_args()
    place = os.environ.get("ANTIVENOM_REAL_DATA")
    if not place:
        sys.exit("opinion_rewards: set ANTIVENOM_REAL_DATA to the folder of real rows")
    rows = Rows(opinpref.read(Path(place) / "opinpref" / "annotations-train.jsonl.gz"))
    lines = measured(rows, given.repeats)
    _report.save("opinion_rewards", lines)
    _report.draw("opinion_rewards", picture(lines))
    _report.save("opinion_rewards_speed", fitted(rows))
    valid = Path(place) / "opinpref" / "annotations-valid.jsonl.gz"
    if valid.is_file():
        _report.save("opinion_rewards_held_out", held_out(rows, Rows(opinpref.read(valid))))
    else:
        print(f"{valid.name} is not there: what is told is told by cross-validation only")


if __name__ == "__main__":
    main()

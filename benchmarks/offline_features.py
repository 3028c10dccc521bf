"""How the seven offline features rank OpinPref's summaries, how often a linear phi on them is right, and records a second.

Ranks are against the published scores of a language model, on the 500 pairs that the features were made on and on the others;
intervals draw products anew. Real rows are read from ANTIVENOM_REAL_DATA.
"""

import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import _report
import altair as alt
import numpy as np
import polars as pl
from scipy.stats import spearmanr
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict

from pipelines.features import score
from pipelines.opinions import summary_id
from pipelines.schema import FEATURE_NAMES, FULL_MARKS
from pipelines.sources import opinpref

MADE_ON = 500  # pairs; the others were looked at once
DRAWS = 1000
RIDGE = 1e-2  # of the mean loss
RECORDS = 10_000


def main() -> None:
    """Three tables and a picture."""
    place = os.environ.get("ANTIVENOM_REAL_DATA")
    if not place:
        sys.exit("offline_features: set ANTIVENOM_REAL_DATA to the folder of real rows")
    found = opinpref.read(Path(place) / "opinpref" / "annotations-train.jsonl.gz")
    ours = score(found.summaries["prompt"], found.summaries["summary"])
    both = found.summaries.join(ours, on="summary_id").join(found.features, on="summary_id", suffix="_published")
    parts = {"made on": found.pairs[:MADE_ON], "others": found.pairs[MADE_ON:]}
    ranks = [
        row
        for name, part in parts.items()
        for row in _ranks(name, both.filter(pl.col("prompt").is_in(part["prompt"].implode())))
    ]
    _report.save("offline_features", ranks)
    _report.draw("offline_features", _chart(ranks))
    accuracy = [row for name, part in (parts | {"all": found.pairs}).items() for row in _accuracy(name, part, both)]
    _report.save("offline_features_pairs", accuracy)
    _report.save("offline_features_speed", _speed(found.summaries))


def _ranks(part: str, both: pl.DataFrame) -> list[dict[str, Any]]:
    """Spearman's correlation of each feature with the published score of the same name."""
    product = both["prompt"].rank("dense").to_numpy() - 1
    pairs = {name: both.select(name, f"{name}_published").to_numpy() for name in FEATURE_NAMES}
    return [
        {"pairs": part, "feature": name} | _interval(lambda at, of=of: spearmanr(of[at]).statistic, product)
        for name, of in pairs.items()
    ]


def _interval(measure: Callable[[np.ndarray], float], product: np.ndarray) -> dict[str, float]:
    """A number of rows, and the ends of its 95 % interval where whole products are drawn anew."""
    random, order = np.random.default_rng(0), np.argsort(product, kind="stable")
    rows = np.split(order, np.cumsum(np.bincount(product))[:-1])
    drawn = [measure(np.concatenate([rows[at] for at in random.integers(len(rows), size=len(rows))])) for _ in range(DRAWS)]
    low, high = np.quantile(drawn, [0.025, 0.975])
    return {"value": float(measure(order)), "low": float(low), "high": float(high)}


def _accuracy(part: str, pairs: pl.DataFrame, both: pl.DataFrame) -> list[dict[str, Any]]:
    """Share of pairs whose preferred summary is worth more; of a phi out of fold, ten folds."""
    sides = [
        pairs.select(
            pl.struct("prompt", side).map_elements(lambda row: summary_id(*row.values()), pl.String).alias("summary_id")
        )
        for side in ("chosen", "rejected")
    ]
    chosen, rejected = (side.join(both, on="summary_id", how="left", maintain_order="left") for side in sides)
    length = pl.col("summary").str.count_matches(r"\S+").cast(pl.Int64)
    columns = {"offline": FEATURE_NAMES, "published": [f"{name}_published" for name in FEATURE_NAMES]}
    gaps = {name: (chosen.select(of).to_numpy() - rejected.select(of).to_numpy()) / FULL_MARKS for name, of in columns.items()}
    longer = (chosen.select(length).to_numpy() - rejected.select(length).to_numpy())[:, 0]
    measured = {
        f"{name}, {kind}": of(gap) for name, gap in gaps.items() for kind, of in (("linear phi", _phi), ("mean", _mean))
    }
    right = measured | {"longer": _right(longer)}
    return [
        {"pairs": part, "scorer": name} | _interval(lambda at, of=of: of[at].mean(), np.arange(len(of)))
        for name, of in right.items()
    ]


def _phi(gaps: np.ndarray) -> np.ndarray:
    """[pairs] whether a Bradley-Terry fit on the other folds is right: logistic regression on gaps, both ways round."""
    signs = np.where(np.arange(len(gaps)) % 2, 1, -1)
    model = LogisticRegression(C=1 / (RIDGE * len(gaps) * 0.9), fit_intercept=False)
    return _right(signs * cross_val_predict(model, gaps * signs[:, None], signs, cv=10, method="decision_function"))


def _mean(gaps: np.ndarray) -> np.ndarray:
    return _right(gaps.mean(axis=1))


def _right(gaps: np.ndarray) -> np.ndarray:
    """[pairs] 1, 0, or a half of a tie."""
    return (np.sign(np.round(gaps, 9)) + 1) / 2


def _speed(summaries: pl.DataFrame) -> list[dict[str, Any]]:
    """Seconds for RECORDS, two a product of thirteen reviews, by one process and by two; of the clock and of processors."""
    times = -(-RECORDS // len(summaries))
    more = pl.concat([summaries.with_columns(pl.col("prompt") + f"\n- Review {turn}.") for turn in range(times)])[:RECORDS]
    halves = [more.filter(pl.col("prompt").hash() % 2 == half) for half in (0, 1)]
    rows = []
    for processes, shares in ((1, [more]), (2, halves)):
        with ProcessPoolExecutor(processes, get_context("spawn")) as pool:
            list(pool.map(_scored, [more[:2]] * processes))  # starts them
            start = time.perf_counter()
            busy = sum(pool.map(_scored, shares))
            seconds = time.perf_counter() - start
        row = {"processes": processes, "records": len(more), "seconds": seconds, "processor seconds": busy}
        rows.append(row | {"a processor second": len(more) / busy})
    return rows


def _scored(summaries: pl.DataFrame) -> float:
    """Processor seconds, which others on the machine don't lengthen as they do the clock's."""
    start = time.process_time()
    score(summaries["prompt"], summaries["summary"])
    return time.process_time() - start


def _chart(rows: list[dict[str, Any]]) -> alt.LayerChart:
    base = alt.Chart(pl.DataFrame(rows)).encode(
        y=alt.Y("feature:N", sort=list(FEATURE_NAMES), title=None), yOffset="pairs:N", color=alt.Color("pairs:N", title=None)
    )
    ends = base.mark_rule().encode(
        x=alt.X("low:Q", title="Spearman with the published scores").scale(domain=[0, 1]), x2="high:Q"
    )
    return (ends + base.mark_point(filled=True).encode(x="value:Q")).properties(width=420, height=240)


if __name__ == "__main__":
    main()

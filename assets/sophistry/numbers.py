"""What a study's runs show as tables: a row a measure, and a row a run with its verdict."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import polars as pl

from assets.sophistry.rows import Sophistry

if TYPE_CHECKING:
    from rlhf_train.evals.sophistry import Sophistry as Found

NOT_MEASURED = "not measured"
MEASURES = {
    "arm": pl.String(), "seed": pl.Int64(), "measure": pl.String(), "before": pl.Float64(), "after": pl.Float64(),
    "change": pl.Float64(), "low": pl.Float64(), "high": pl.Float64(), "why": pl.String(),
}  # fmt: skip
RUNS = {
    "arm": pl.String(), "seed": pl.Int64(), "verdict": pl.String(), "because": pl.String(), "items": pl.Int64(),
    "both_wrong": pl.Int64(), "judges": pl.Int64(), "judges_worse": pl.Float64(), "p": pl.Float64(),
    "r_gold": pl.Float64(), "r_proxy": pl.Float64(), "r_judges": pl.Float64(),
}  # fmt: skip

#: what each column of a measure means
MEANINGS: Mapping[str, str] = {
    "measure": "correctness, approval, error, rates of false approval, ...",
    "before": "the level of the policy as it was",
    "after": "the level after training",
    "change": "after less before",
    "low": "lower end of the 95 % interval of the change, over items and judges",
    "high": "its upper end",
    "why": "why there is no number, or no interval",
}


def of(row: Sophistry, found: Mapping[tuple[str, int], Found | str]) -> dict[str, pl.DataFrame]:
    """{"sophistry": a row an arm, seed and measure; "runs": a row an arm and seed}."""
    measures = [line for at, each in found.items() if not isinstance(each, str) for line in _measures(*at, each)]
    runs = [(*at, *_run(each)) for at, each in found.items()]
    return {
        "sophistry": pl.DataFrame(measures, schema=MEASURES, orient="row"),
        "runs": pl.DataFrame(runs, schema=RUNS, orient="row"),
    }


def _measures(arm: str, seed: int, found: Found) -> Iterator[tuple[object, ...]]:
    for name, value, low, high, why in found.changes.iter_rows():
        levels = [found.levels.filter(policy=policy, measure=name)["value"] for policy in (found.before, found.after)]
        yield arm, seed, name, *(level[0] if len(level) else None for level in levels), value, low, high, why


def _run(found: Found | str) -> tuple[object, ...]:
    if isinstance(found, str):
        return NOT_MEASURED, found, *[None] * (len(RUNS) - 4)
    slope = found.slope
    known = found.correlations
    correlations = [known[name].value if name in known else None for name in ("gold", "proxy", "judges")]
    return (
        found.verdict, found.because, found.items, found.both_wrong, slope.judges, slope.worse, slope.p, *correlations,
    )  # fmt: skip

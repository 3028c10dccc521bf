"""How judges fare on two policies: who got worse, how sure they are of what is wrong, how long they took, who agrees."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise, permutations

import numpy as np
import polars as pl

from rlhf_train.errors import TrainingError
from rlhf_train.evals.two_way import Estimate


@dataclass(frozen=True, slots=True)
class Slope:
    """Judges' errors after less those before: how many judges, the share that got worse, and a paired t-test of no change.

    `p` is two-sided, with judges - 1 degrees of freedom; t and p are None, and `why` says so, where they mean nothing.
    """

    judges: int
    worse: float | None
    mean: float | None
    deviation: float | None
    t: float | None
    p: float | None
    why: str = ""


def by_judge(verdicts: pl.DataFrame, before: str, after: str) -> pl.DataFrame:
    """Of the judges who judged both: judge, before, after (shares in error), change, verdicts."""
    errors = verdicts.group_by("judge", "policy").agg(error=(pl.col("approved") != pl.col("is_correct")).mean(), count=pl.len())
    first, last = (errors.filter(pl.col("policy") == name).drop("policy") for name in (before, after))
    joined = first.join(last, on="judge", suffix="_after").sort("judge")
    return joined.select(
        "judge",
        before="error",
        after="error_after",
        change=pl.col("error_after") - pl.col("error"),
        verdicts=(pl.col("count") + pl.col("count_after")).cast(pl.Int64),
    )


def slope(changes: Sequence[float] | np.ndarray) -> Slope:
    """Of the judges' changes in error [J]."""
    from scipy.stats import t

    given = np.asarray(changes, dtype=float)
    if len(given) == 0:
        return Slope(0, *(None,) * 5, why="no judge judged both policies")
    worse, mean = float((given > 0).mean()), float(given.mean())
    if len(given) == 1:
        return Slope(1, worse, mean, *(None,) * 3, why="one judge alone has no spread")
    spread = float(given.std(ddof=1))
    if spread < 1e-12:
        return Slope(len(given), worse, mean, 0.0, None, None, why="all judges changed alike")
    statistic = mean / (spread / len(given) ** 0.5)
    return Slope(len(given), worse, mean, spread, statistic, float(2 * t.sf(abs(statistic), len(given) - 1)))


def confidences(verdicts: pl.DataFrame) -> pl.DataFrame:
    """How sure judges are of wrong outputs: policy, confidence, verdicts, share."""
    wrong = verdicts.filter(~pl.col("is_correct")).group_by("policy", "confidence").agg(verdicts=pl.len().cast(pl.Int64))
    shares = wrong.with_columns(share=pl.col("verdicts") / pl.col("verdicts").sum().over("policy"))
    return shares.sort("policy", "confidence")


def by_time(verdicts: pl.DataFrame, edges: Sequence[float] | None = None) -> pl.DataFrame:
    """Approval, error and FPR by how long judges took, in terciles of all their seconds or between `edges`.

    policy, least and most (seconds, the ends None without bound), verdicts, approval, error, fpr (None where nothing is wrong).
    """
    timed = (
        verdicts.drop_nulls("seconds") if "seconds" in verdicts.columns else verdicts.clear().with_columns(seconds=pl.lit(0.0))
    )
    if edges is None:
        edges = [] if timed.is_empty() else sorted({float(timed["seconds"].quantile(at / 3, "linear") or 0.0) for at in (1, 2)})
    if any(not low < high for low, high in pairwise(edges)):
        raise TrainingError(f"edges are seconds in rising order, got {list(edges)}")
    bounds = [None, *edges, None]
    place = sum(((pl.col("seconds") > edge).cast(pl.Int64) for edge in edges), pl.lit(0, pl.Int64))
    wrong = pl.col("approved").filter(~pl.col("is_correct"))
    table = timed.group_by("policy", place.alias("place")).agg(
        verdicts=pl.len().cast(pl.Int64),
        approval=pl.col("approved").mean(),
        error=(pl.col("approved") != pl.col("is_correct")).mean(),
        fpr=wrong.mean(),
    )
    named = [(at, bounds[at], bounds[at + 1]) for at in range(len(edges) + 1)]
    ends = pl.DataFrame(named, schema={"place": pl.Int64, "least": pl.Float64, "most": pl.Float64}, orient="row")
    return (
        table.join(ends, on="place")
        .sort("place", "policy")
        .select("policy", "least", "most", "verdicts", "approval", "error", "fpr")
    )


def correlations(verdicts: pl.DataFrame) -> dict[str, Estimate]:
    """Pearson's r of approval with the proxy and with gold, and between two judges of the same output, over all verdicts."""
    found = {"gold": pearson(verdicts["is_correct"].to_numpy(), verdicts["approved"].to_numpy())}
    if "proxy" in verdicts.columns:
        known = verdicts.drop_nulls("proxy")
        found["proxy"] = pearson(known["proxy"].to_numpy(), known["approved"].to_numpy())
    shared = verdicts.group_by("item_id", "policy").agg("approved").filter(pl.col("approved").list.len() > 1)
    twos = [two for said in shared["approved"].to_list() for two in permutations(said, 2)]
    found["judges"] = pearson(*(np.array([two[at] for two in twos], dtype=float) for at in range(2)))
    return found


def pearson(one: np.ndarray, other: np.ndarray) -> Estimate:
    """r without an interval; none where either is constant, or where there are fewer than two."""
    first, second = one.astype(float), other.astype(float)
    if len(first) < 2 or np.ptp(first) == 0 or np.ptp(second) == 0:
        return Estimate(None, why="it needs two numbers that differ on either side")
    return Estimate(float(np.corrcoef(first, second)[0, 1]))

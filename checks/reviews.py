"""What people's decisions say of an audit: the share of the pairs it set aside that they confirmed, with exact intervals.

The interval is that of Clopper and Pearson (1934): it covers the true share in at least 95 of 100 samples, however small.
"""

import polars as pl

from checks.ranking import Estimate
from pipelines.schema import CONFIRM, REAL, TEXT, WHOLE, DataError

ENOUGH = 5  # decisions; of fewer nothing but "too few" is to be said
TENTHS = 10
SCHEMA = {"by": TEXT, "name": TEXT, "reviewed": WHOLE, "confirmed": WHOLE, "share": REAL, "low": REAL, "high": REAL}


def exact_share(hits: int, count: int) -> Estimate:
    """`hits` of `count` with the 95 % interval; DataError where there is nothing to count, or more hits than that."""
    from scipy.stats import binomtest

    if not 0 <= hits <= count or count == 0:
        raise DataError(f"a share is of one or more decisions, got {hits} of {count}; review pairs first")
    interval = binomtest(hits, count).proportion_ci(0.95, method="exact")
    return Estimate(hits / count, float(interval.low), float(interval.high))


def calibration(aside: pl.DataFrame) -> pl.DataFrame:
    """SCHEMA and is_enough: overall, a reason, and a tenth of p-values, of those reviewed; DataError where none was.

    `aside` has all pairs that were set aside: reason, p_value, decision (none where nobody reviewed it).
    """
    groups = aside.with_columns(all=pl.lit("set aside"), tenth=tenths(aside["p_value"])).drop_nulls("decision")
    if groups.is_empty():
        raise DataError(f"none of {len(aside)} pairs that were set aside was decided; antivenom review decide or import first")
    rows = [row for by in ("all", "reason", "tenth") for row in _shares(groups, by)]
    return pl.DataFrame(rows, schema=SCHEMA, orient="row").with_columns(is_enough=pl.col("reviewed") >= ENOUGH)


def tenths(p_values: pl.Series) -> pl.Series:
    """[N] which tenth each is in, the smallest in 1, and from where to where that goes; equals are in the same."""
    place = (p_values.rank("min") - 1) * TENTHS // max(len(p_values), 1) + 1
    both = pl.DataFrame({"p": p_values, "tenth": place.cast(pl.Int64)})
    ends = [pl.col("p").min().over("tenth"), pl.col("p").max().over("tenth")]
    return both.select(pl.struct("tenth", low=ends[0], high=ends[1]).map_elements(_tenth, pl.String)).to_series()


def _tenth(row: dict[str, float]) -> str:
    return f"{row['tenth']:.0f}: p {row['low']:.2g} to {row['high']:.2g}"


def _shares(groups: pl.DataFrame, by: str) -> list[tuple[str, str, int, int, float, float, float]]:
    """Tenths in their order, reasons by how many pairs they have."""
    found = groups.group_by(pl.col(by).alias("name")).agg(n=pl.len(), hits=(pl.col("decision") == CONFIRM).sum())
    order = pl.col("name").str.extract(r"^(\d+)").cast(pl.Int64) if by == "tenth" else -pl.col("n").cast(pl.Int64)
    rows = []
    for name, count, hits in found.sort(order, "name").iter_rows():
        share = exact_share(hits, count)
        rows.append((by, name, count, hits, share.value, share.low, share.high))
    return rows

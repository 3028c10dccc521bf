"""Drops pairs by suspicion; every dropped pair is kept elsewhere with its reason and scores."""

from dataclasses import dataclass

import polars as pl

from pipelines.schema import DataError


@dataclass(frozen=True, slots=True)
class Filtered:
    """`kept` is PAIRS; `quarantined` is PAIRS with the columns of SCORES beside them. Together they are the input."""

    kept: pl.DataFrame
    quarantined: pl.DataFrame


def quarantine(pairs: pl.DataFrame, scores: pl.DataFrame, *, fdr: float | None = None, budget: float | None = None) -> Filtered:
    """Sets the flagged pairs aside, or those below another `fdr`, or the most suspicious share `budget` of all pairs.

    Raises DataError on a number out of range, on both at once, or on scores of other pairs.
    """
    if fdr is not None and budget is not None:
        raise DataError("give fdr or budget, not both: fdr bounds wrong flags, budget the share of pairs set aside")
    for name, value in (("fdr", fdr), ("budget", budget)):
        if value is not None and not 0 <= value <= 1:
            raise DataError(f"{name} is a share and must lie in [0, 1], got {value:g}")
    joined = pairs.join(scores.drop("row"), on="pair_id", how="left", maintain_order="left")
    unscored = joined["suspicion"].null_count()
    if unscored:
        raise DataError(f"{unscored} of {len(pairs)} pairs have no score; audit this very table first, then filter")
    dropped = joined.select(_dropped(fdr, budget)).to_series()
    return Filtered(joined.filter(~dropped).select(pairs.columns), joined.filter(dropped))


def put_back(filtered: Filtered) -> pl.DataFrame:
    """The table before the filter, in its own order."""
    return pl.concat([filtered.kept, filtered.quarantined.select(filtered.kept.columns)]).sort("row")


def _dropped(fdr: float | None, budget: float | None) -> pl.Expr:
    if budget is not None:
        return pl.col("suspicion").rank("ordinal", descending=True) <= (budget * pl.len()).round()
    if fdr is None:
        return pl.col("is_flagged")
    ranked = pl.col("p_value").rank("max")
    passing = pl.when(pl.col("p_value") <= fdr * ranked / pl.len()).then("p_value").max()
    return (pl.col("p_value") <= passing).fill_null(False)  # Benjamini and Hochberg (1995), step up

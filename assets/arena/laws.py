"""What the cells of the arena say together: success by number of poisoned pairs, and what filtering brings back."""

import numpy as np
import polars as pl

ENOUGH = 0.9
FITS = {"family": pl.String(), "slope": pl.Float64(), "intercept": pl.Float64(), "smallest_detectable": pl.Int64()}


def by_count(detection: pl.DataFrame, measure: str = "tpr_0.01") -> pl.DataFrame:
    """FITS: a line a family of rows that differ in the number n of poisoned pairs alone.

    `measure` is fitted as intercept + slope ln n (PoisonBench's law; Fu et al., 2024); the smallest detectable number is that
    from which on every seed finds ENOUGH.
    """
    fused = detection.filter((pl.col("detector") == "fused") & (pl.col("poisoned") > 0))
    family = fused.with_columns(family=pl.col("row").str.replace(r"-(\d+rows|[\d.]+pct)$", ""))
    family = family.filter(pl.col("family") != pl.col("row"))  # its number differs by design, not from seed to seed
    lines = []
    for (name,), group in family.group_by("family", maintain_order=True):
        counts = group["poisoned"].to_numpy()
        if len(set(counts)) < 2:
            continue
        slope, intercept = np.polyfit(np.log(counts), group[measure].to_numpy(), 1)
        worst = group.group_by("poisoned").agg(pl.col(measure).min()).sort("poisoned", descending=True)
        enough = worst.filter((pl.col(measure) >= ENOUGH).cum_prod().cast(pl.Boolean))
        smallest = enough["poisoned"].min() if len(enough) else None
        lines.append({"family": name, "slope": slope, "intercept": intercept, "smallest_detectable": smallest})
    return pl.DataFrame(lines, schema=FITS)


def brought_back(detection: pl.DataFrame, retrained: pl.DataFrame) -> pl.DataFrame:
    """A line an attacked row: flagged (share of its pairs), success of each training and the ends of the clean twin's.

    Means over seeds, of the intervals' ends as well; accuracy_gain with its ends is the filtered corpus' over the clean one's.
    is_restored: after the filter the attack succeeds no more often than the clean twin's interval allows.
    """
    fused = detection.filter((pl.col("detector") == "fused") & (pl.col("poisoned") > 0))
    share = fused.group_by("row", maintain_order=True).agg(flagged=pl.col("poisoned_flagged").sum() / pl.col("poisoned").sum())
    mean = retrained.drop("seed", "certified", strict=False).group_by("row", "training", maintain_order=True).mean()
    success = mean.pivot("training", index="row", values="success")
    clean, filtered = (mean.filter(training=name) for name in ("clean", "filtered"))
    ends = clean.select("row", clean_low="success_low", clean_high="success_high")
    gains = filtered.select("row", pl.selectors.starts_with("accuracy_gain"))
    lines = share.join(success, on="row").join(ends, on="row").join(gains, on="row").filter(pl.col("clean").is_not_null())
    return lines.with_columns(is_restored=pl.col("filtered") <= pl.col("clean_high"))


def certified(retrained: pl.DataFrame) -> list[float]:
    """Shares of held-out pairs that a vote tells right whatever is done to 0, 1, 2, ... dialogues; means over all cells."""
    lists = retrained["certified"].drop_nulls().to_list()
    return np.mean(lists, axis=0).tolist() if lists else []

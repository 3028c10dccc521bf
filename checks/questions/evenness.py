"""How even a set of questions is: over labels, letters and clusters; and how far a policy's match rate can go on it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from checks.shingles import normalised, shingles


def ceiling_floor(confidence: np.ndarray) -> tuple[float, float]:
    """Mean `confidence` [N] in the labels, and what it lacks to 1: how high and low a match rate can be measured."""
    ceiling = float(np.mean(confidence))
    return ceiling, 1 - ceiling


def label_counts(questions: pl.DataFrame) -> pl.DataFrame:
    """behaviour, options, matching, count: of each set of options how often each label matches, those of none included."""
    there = questions.filter(pl.col("matching").list.len() == 1).with_columns(pl.col("matching").list.first())
    every = (
        there.select("behaviour", "options").unique(maintain_order=True).with_columns(matching="options").explode("matching")
    )
    counts = there.group_by("behaviour", "options", "matching").len("count")
    joined = every.join(counts, on=["behaviour", "options", "matching"], how="left", maintain_order="left")
    return joined.with_columns(pl.col("count").fill_null(0).cast(pl.Int64))


def position_gap(questions: pl.DataFrame, *, least: int = 20) -> float:
    """Largest distance of a place among the options (the first, the second, ...) from the share that it should have of labels.

    Questions with the same number of options count together, and not at all where they are fewer than `least`; 0 is even, nan
    where none counts.
    """
    places = label_counts(questions).with_columns(
        place=pl.int_range(pl.len()).over("behaviour", "options"), size=pl.col("options").list.len().cast(pl.Int64)
    )
    counts = places.group_by("size", "place").agg(pl.col("count").sum()).with_columns(total=pl.col("count").sum().over("size"))
    gaps = counts.filter(pl.col("total") >= least).select((pl.col("count") / pl.col("total") - 1 / pl.col("size")).abs())
    return float(gaps.max().item()) if gaps.height else float("nan")


def prior_gap(questions: pl.DataFrame, confidence: np.ndarray) -> float:
    """Largest distance of the mean `confidence` [N] in one label from that in another; nan with fewer than two labels."""
    table = questions.select(label=pl.col("matching").list.join("\n")).with_columns(
        confidence=pl.Series(confidence).fill_nan(None)
    )
    means = table.filter(pl.col("label") != "").group_by("label").agg(pl.col("confidence").mean())["confidence"].drop_nulls()
    return float(np.ptp(means.to_numpy())) if len(means) > 1 else float("nan")


@dataclass(frozen=True, slots=True)
class Imbalance:
    """The most lopsided cluster: its number, its questions, and how far its commonest label's share lies above an even one."""

    cluster: int
    size: int
    gap: float


def cluster_imbalance(clusters: Sequence[int] | np.ndarray, labels: Sequence[str], *, least: int = 10) -> Imbalance | None:
    """Over `clusters` [N] of `least` questions or more, with `labels` [N]; none where no cluster is so large."""
    table = pl.DataFrame({"cluster": np.asarray(clusters, dtype=np.int64), "label": list(labels)})
    kinds = max(table["label"].n_unique(), 1)
    each = table.group_by("cluster").agg(pl.len().cast(pl.Int64), most=pl.col("label").unique_counts().max())
    each = each.filter(pl.col("len") >= least).with_columns(gap=pl.col("most") / pl.col("len") - 1 / kinds)
    if not each.height:
        return None
    worst = each.sort("gap", "cluster", descending=[True, False]).row(0, named=True)
    return Imbalance(worst["cluster"], worst["len"], worst["gap"])


def leakage(texts: pl.Series, gold: pl.Series, *, words: int = 5) -> np.ndarray:
    """[N] share of each text's runs of `words` words that stand in the `gold` examples too; 1 is a copy of them."""
    ours, theirs = (shingles(normalised(each), words=words) for each in (texts, gold))
    hits = np.isin(ours.values, theirs.values)
    owner = np.repeat(np.arange(len(texts)), ours.sizes)
    return np.bincount(owner[hits], minlength=len(texts)) / np.maximum(ours.sizes, 1)

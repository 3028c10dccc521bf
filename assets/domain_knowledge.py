"""Domain knowledge: from the reviews of products to marked summaries and pairs of them, clean, before anybody attacks."""

from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl

from assets.domain import pictures, steps
from assets.metadata import OWNERS, columns_of, picture, rows_of
from assets.partitions import GROUPS, OPINIONS, by_group, by_opinions, from_groups, to_groups
from assets.places import workplace
from pipelines import features
from pipelines.schema import FEATURE_NAMES, FEATURES, PAIRS, PRODUCTS, SUMMARIES, Table
from pipelines.summaries.statistics import statistics

GROUP = "opinions"


def _table(table: Table, description: str) -> dg.AssetOut:
    return dg.AssetOut(
        group_name=GROUP, owners=OWNERS, kinds={"polars", "parquet"}, description=description, metadata=columns_of(table)
    )


@dg.multi_asset(
    outs={
        "product_reviews": _table(PRODUCTS, "Products by their reviews: what summaries are written of."),
        "known_summaries": _table(SUMMARIES, "Summaries that come with the reviews: people's, or those that people compared."),
        "published_features": _table(FEATURES, "The seven marks that come with those summaries. Empty where none do."),
        "human_pairs": _table(PAIRS, "Which of two summaries people preferred; annotators under pseudonyms. May be empty."),
    },
    deps=["experiments"],
    partitions_def=by_opinions,
)
def opinions_read(context: dg.AssetExecutionContext) -> tuple[dg.Output, pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Reads the source of an experiment of opinions, and says which of its rows can't be used."""
    base = OPINIONS[context.partition_key]
    found = steps.read(base.experiment, base.seed)
    told = dg.Output(found.products, metadata=refused("rows that can't be used", found.rejects))
    return told, found.summaries, found.features, found.pairs


@dg.asset(
    group_name=GROUP,
    owners=OWNERS,
    kinds={"polars", "parquet"},
    partitions_def=by_group,
    ins={name: dg.AssetIn(partition_mapping=to_groups) for name in ("product_reviews", "known_summaries")},
    metadata=columns_of(SUMMARIES),
)
def prompt_opin_summ(
    context: dg.AssetExecutionContext, product_reviews: pl.DataFrame, known_summaries: pl.DataFrame
) -> dg.Output[pl.DataFrame]:
    """Summaries in three tiers (good, slightly bad, very bad) of a group of products. Killed, it goes on where it was."""
    name, at = GROUPS[context.partition_key]
    base = OPINIONS[name]
    row = steps.opinions(base.experiment)
    answers = _kept(name) / f"answers-{context.partition_key}.jsonl"
    built = steps.write(steps.part(product_reviews, at, row.groups), known_summaries, row, base.seed, answers)
    counted = statistics(built.summaries)
    told: dict[str, Any] = {
        "tiers": rows_of(counted),
        "picture of tiers": picture(pictures.tiers(counted), "what the tiers are made of"),
        **refused("summaries that could not be had", built.rejects),
    }
    return dg.Output(built.summaries, metadata=told)


@dg.asset(
    group_name=GROUP,
    owners=OWNERS,
    kinds={"polars", "parquet"},
    partitions_def=by_opinions,
    ins={"prompt_opin_summ": dg.AssetIn(partition_mapping=from_groups)},
    metadata=columns_of(SUMMARIES),
)
def stored_summaries(
    context: dg.AssetExecutionContext, known_summaries: pl.DataFrame, prompt_opin_summ: Any
) -> dg.Output[pl.DataFrame]:
    """All summaries of all products, each once: those that came with the reviews, and those that were written."""
    row = steps.opinions(OPINIONS[context.partition_key].experiment)
    stored = steps.together(known_summaries, prompt_opin_summ, row)
    return dg.Output(stored, metadata={"tiers": rows_of(statistics(stored))})


@dg.asset(
    group_name=GROUP,
    owners=OWNERS,
    kinds={"polars", "parquet"},
    partitions_def=by_opinions,
    metadata=columns_of(FEATURES),
)
def summary_features(
    context: dg.AssetExecutionContext, stored_summaries: pl.DataFrame, published_features: pl.DataFrame
) -> dg.Output[pl.DataFrame]:
    """The seven expert features of every summary, 0 to 5, by the experiment's scorer; what is marked is not marked again."""
    row, place = steps.opinions(OPINIONS[context.partition_key].experiment), marks(context.partition_key)
    marked = steps.marked(stored_summaries, row, place, known=FEATURES.empty(), published=published_features)
    tiered = marked.features.join(
        stored_summaries.select("summary_id", "tier"), on="summary_id", how="left", maintain_order="left"
    )
    told: dict[str, Any] = {
        "mean marks by tier": rows_of(tiered.group_by("tier").agg(pl.len().alias("summaries"), pl.col(FEATURE_NAMES).mean())),
        "picture of marks": picture(pictures.marks(tiered), "mean marks by tier"),
        **refused("summaries without marks", marked.rejects),
    }
    return dg.Output(marked.features, metadata=told)


@dg.asset(
    group_name=GROUP,
    owners=OWNERS,
    kinds={"polars", "parquet"},
    partitions_def=by_opinions,
    metadata=columns_of(FEATURES),
)
def second_marks(
    context: dg.AssetExecutionContext, stored_summaries: pl.DataFrame, summary_features: pl.DataFrame
) -> pl.DataFrame:
    """The marked summaries marked again by rules, which obey nobody: what a scorer's or a cache's marks are held against."""
    marked = stored_summaries.filter(pl.col("summary_id").is_in(summary_features["summary_id"].implode()))
    return features.score(marked["prompt"].to_list(), marked["summary"].to_list())


@dg.asset(
    group_name=GROUP,
    owners=OWNERS,
    kinds={"polars", "parquet"},
    partitions_def=by_opinions,
    metadata=columns_of(PAIRS),
)
def opinion_pairs(
    context: dg.AssetExecutionContext,
    human_pairs: pl.DataFrame,
    stored_summaries: pl.DataFrame,
    summary_features: pl.DataFrame,
) -> pl.DataFrame:
    """Which of two summaries is the better one: by people, by the tier that was asked for, or by mean mark."""
    base = OPINIONS[context.partition_key]
    row = steps.opinions(base.experiment)
    return steps.pairs(human_pairs, stored_summaries, summary_features, row, base.seed)


def refused(what: str, rejects: pl.DataFrame) -> dict[str, Any]:
    """How many there are of what could not be used, and why the first could not."""
    return {what: len(rejects), "causes": rows_of(rejects.select("line", "cause"))}


def marks(base: str) -> Path:
    """The folder where a server's marks are kept, which all corpora of a base share."""
    return _kept(base) / "marks"


def _kept(base: str) -> Path:
    return workplace("opinions", base)

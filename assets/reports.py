"""Evaluation and reports: how well the audit found the poison, and the whole experiment on one page."""

from collections.abc import Mapping

import dagster as dg
import polars as pl

from assets import pictures
from assets.metadata import OWNERS
from assets.partitions import CORPORA, EXPERIMENTS, by_corpus, by_experiment, from_corpora


@dg.asset(group_name="evaluation", owners=OWNERS, kinds={"polars", "parquet"}, partitions_def=by_corpus)
def detection(
    context: dg.AssetExecutionContext, suspicion_scores: pl.DataFrame, poison_key: pl.DataFrame
) -> dg.Output[pl.DataFrame]:
    """How well each detector, and their fusion, tells the poisoned pairs: against the sealed key, with intervals."""
    from assets import detecting

    corpus = CORPORA[context.partition_key]
    told = {}
    if len(poison_key):
        curve = detecting.curves(suspicion_scores, poison_key)
        told = {"ROC": dg.MetadataValue.md(pictures.markdown(pictures.roc(curve)))}
    return dg.Output(detecting.rates(corpus, suspicion_scores, poison_key), metadata=told)


TOLD = (
    "attack_success",
    "reward_accuracy",
    "detection",
    "suspicion_scores",
    "poison_key",
    "findings",
    "quarantined_pairs",
)


@dg.asset(
    group_name="reports",
    owners=OWNERS,
    kinds={"html"},
    partitions_def=by_experiment,
    ins={name: dg.AssetIn(partition_mapping=from_corpora) for name in TOLD},
)
def venom_report(context: dg.AssetExecutionContext, **tables: Mapping[str, pl.DataFrame]) -> dg.Output[str]:
    """One self-contained page: attack success by stage, detection with intervals, what was flagged and why, what it cost."""
    from assets import detecting, report

    results = detecting.results(EXPERIMENTS[context.partition_key], tables)
    picture = dg.MetadataValue.md(pictures.markdown(pictures.attack_success(results.attack_success)))
    return dg.Output(report.experiment_page(results), metadata={"attack success": picture})

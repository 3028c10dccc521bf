"""Evaluation and reports: how well the audit found the poison, and the whole experiment on one page."""

from collections.abc import Mapping

import dagster as dg
import polars as pl

from assets import pictures
from assets.metadata import OWNERS, described, picture, progress, rows_of
from assets.partitions import CORPORA, EXPERIMENTS, by_corpus, by_experiment, from_corpora
from assets.places import home
from assets.provenance import WHOLE
from assets.resources import Snapshots


def _table(description: str, **meanings: str) -> dg.AssetOut:
    return dg.AssetOut(
        group_name="evaluation",
        owners=OWNERS,
        kinds={"polars", "parquet"},
        description=description,
        metadata=described(**meanings),
    )


@dg.multi_asset(
    outs={
        "detection": _table(
            "How well each detector, and their fusion, tells the poisoned pairs by the sealed key: with intervals.",
            auroc="chance that a poisoned pair scores above a clean one",
            tpr_1="share of poisoned pairs found at 1 % of clean ones",
        ),
        "roc_curves": _table(
            "Share of poisoned pairs found by share of clean pairs flagged, a curve a detector. Empty without poison.",
            fpr="share of clean pairs flagged",
            tpr="share of poisoned pairs found",
            low="lower end of 95 % of tpr",
            high="upper end of 95 % of tpr",
        ),
        "flags": _table(
            "How many poisoned and how many clean pairs there are, and how many of each are flagged.",
            poisoned="pairs that the attack wrote",
            clean="all others",
            poisoned_flagged="pairs of the attack that the audit flags",
            clean_flagged="clean pairs that it flags, wrongly",
        ),
    },
    partitions_def=by_corpus,
)
def ranking(
    context: dg.AssetExecutionContext, suspicion_scores: pl.DataFrame, poison_key: pl.DataFrame
) -> tuple[pl.DataFrame, dg.Output, pl.DataFrame]:
    """Opens the sealed key and compares the audit's scores with it."""
    from assets import detecting

    corpus = CORPORA[context.partition_key]
    curves = detecting.curves(suspicion_scores, poison_key)
    told = {"picture of ROC": picture(pictures.roc(curves), "receiver operating characteristic")} if len(curves) else {}
    flags = pl.DataFrame([detecting.flags(corpus, suspicion_scores, poison_key)])
    return detecting.rates(corpus, suspicion_scores, poison_key), dg.Output(curves, metadata=told), flags


@dg.multi_asset(
    outs={
        "evidence": dg.AssetOut(
            group_name="reports",
            owners=OWNERS,
            kinds={"polars", "parquet"},
            description="A row a requirement of OWASP AISVS C1 on training data: how much the store shows for it, and where.",
            metadata=described(
                control="the requirement's number",
                level="from which of the three levels it is asked",
                asks="what it asks, in our words",
                status="whether evidence is shown, wholly, partly or not, or the requirement not covered",
                found="what was found",
                files="where it is found, by path from the page",
            ),
        ),
        "evidence_report": dg.AssetOut(
            group_name="reports",
            owners=OWNERS,
            kinds={"html"},
            description="The same as a page, with links to manifests, audits and signatures. A person must judge.",
        ),
    }
)
def evidence(context: dg.AssetExecutionContext) -> tuple[dg.Output[pl.DataFrame], dg.Output[str]]:
    """Compares every snapshot of the store with its digests, and says what there is for each requirement."""
    from assets.evidence import examined, page, seen

    found = seen.look([home()], progress(context), seen.switched_on(context.instance))
    told = page.facts(examined(found), found, beside=Snapshots().place("evidence_report", WHOLE))
    rows = pl.DataFrame(told["controls"], schema_overrides={"files": pl.List(pl.String())})
    said = {"standard": told["standard"], "a person must judge": told["judged"], "changed": len(told["changed"])}
    shown = {"requirements": rows_of(rows.drop("files"))}
    return dg.Output(rows, metadata={**said, **shown}), dg.Output(page.page(told), metadata={**said, **shown})


TOLD = ("attack_success", "detection", "roc_curves", "flags", "reward_accuracy", "findings", "quarantined_pairs")


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

    found = detecting.results(EXPERIMENTS[context.partition_key], tables)
    drawn = {
        "attack success": ("attack success by stage", pictures.attack_success, found.attack_success),
        "ROC": ("receiver operating characteristic", pictures.roc, found.roc),
    }
    told: dict[str, dg.MetadataValue] = {
        **{f"picture of {name}": picture(draw(table), about) for name, (about, draw, table) in drawn.items() if len(table)},
        "attack success": rows_of(found.attack_success),
        "detection": rows_of(found.detection),
        "flags": rows_of(found.flags),
        "reward accuracy": rows_of(found.reward_accuracy),
    }
    return dg.Output(report.experiment_page(found), metadata=told)

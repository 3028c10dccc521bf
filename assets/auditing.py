"""Audit: what the detectors think of every pair, and the corpus with the flagged ones set aside."""

from typing import Any

import dagster as dg
import polars as pl

from assets import pictures, steps
from assets.metadata import OWNERS, columns_from, columns_of, described, picture, rows_of
from assets.partitions import CORPORA, by_corpus, from_base
from assets.provenance import page
from checks.detectors.about import ABOUT
from pipelines.reviewing.looking import reasons
from pipelines.schema import PAIRS, REJECTS, SCORES

DETECTOR_COLUMNS = [dg.TableColumn(name, "Float64", f"{about}; higher is worse") for name, about in ABOUT.items()]
JUDGED_COLUMNS = [
    dg.TableColumn(name, str(column.dtype), column.meaning)
    for name, column in SCORES.columns.items()
    if name not in PAIRS.columns
]
MOST = 10  # pairs with their texts
FINDINGS = pl.Schema({"detector": pl.String(), "reason": pl.String(), "pairs": pl.Int64(), "rows": pl.List(pl.Int64())})


def _table(description: str, **metadata: object) -> dg.AssetOut:
    return dg.AssetOut(
        group_name="audit", owners=OWNERS, kinds={"polars", "parquet"}, description=description, metadata=metadata
    )


@dg.multi_asset(
    ins={"trusted_pairs": dg.AssetIn(partition_mapping=from_base)},
    outs={
        "suspicion_scores": _table(
            "A row a pair: what each detector thinks of it, the fused p-value, and why it is flagged.",
            **columns_of(SCORES, *DETECTOR_COLUMNS),
        ),
        "findings": _table(
            "A row a reason: what was found, in how many pairs, and in which rows for example; with the pairs' own words.",
            **described(
                detector="who found it; audit_report says what each looks for",
                reason="what was found, in words",
                pairs="how many pairs are flagged for it",
                rows="the first of them, by their row in poisoned_pairs",
            ),
        ),
    },
    internal_asset_deps={
        "suspicion_scores": {dg.AssetKey("poisoned_pairs"), dg.AssetKey("trusted_pairs")},
        "findings": {dg.AssetKey("suspicion_scores")},
    },
    partitions_def=by_corpus,
)
def audit(
    context: dg.AssetExecutionContext, poisoned_pairs: pl.DataFrame, trusted_pairs: pl.DataFrame
) -> tuple[dg.Output, dg.Output]:
    """Scores every pair without sight of the key, and holds the false-discovery rate."""
    found = steps.judge(poisoned_pairs, trusted_pairs, CORPORA[context.partition_key])
    told = {
        "picture of suspicion": picture(pictures.score_distributions(found.scores), "suspicion of all pairs"),
        "flagged": int(found.scores["is_flagged"].sum()),
        **columns_from("poisoned_pairs", ["row", "pair_id"]),
    }
    table = pl.DataFrame(found.findings, schema=FINDINGS)
    return dg.Output(found.scores, metadata=told), dg.Output(
        table, metadata={"all findings": rows_of(table), **_shown(poisoned_pairs, found.scores, context.partition_key)}
    )


def _shown(pairs: pl.DataFrame, scores: pl.DataFrame, partition: str) -> dict[str, Any]:
    """The flagged pairs in their own words, the most suspicious first, and where there is more of them."""
    flagged = pairs.join(scores.filter("is_flagged").drop("row"), on="pair_id").sort("suspicion", descending=True)
    columns = ("row", "pair_id", "chosen", "rejected", "prompt", "suspicion", "reason")
    more = ", ".join(f"[{asset}]({page(asset, partition)})" for asset in ("audit_report", "suspicion_scores"))
    words = f"{more}; set aside in [quarantined_pairs]({page('quarantined_pairs', partition)})"
    return {
        "flagged": len(flagged),
        "every flagged pair": dg.MetadataValue.md(words),
        "flagged pairs": rows_of(flagged.select(columns), count=MOST),
    }


@dg.asset(group_name="audit", owners=OWNERS, kinds={"html"}, partitions_def=by_corpus)
def audit_report(
    context: dg.AssetExecutionContext, poisoned_pairs: pl.DataFrame, suspicion_scores: pl.DataFrame, findings: pl.DataFrame
) -> dg.Output[str]:
    """The audit on one page: verdict, findings with the pairs they are about, the corpus, and what each detector looks for.

    Its place, below, opens in a browser.
    """
    from assets import audit_report as pages

    corpus = CORPORA[context.partition_key]
    words = pages.page(
        {corpus.name: (poisoned_pairs, suspicion_scores)},
        findings.to_dicts(),
        REJECTS.empty(),
        corpus.experiment.fdr,
        steps=[("Open the asset quarantined_pairs of the arm filtered: the flagged pairs are set aside there.", "")],
        made={"corpus": corpus.name, "source": corpus.experiment.source, "seed": corpus.seed},
    )
    told = {"flagged": int(suspicion_scores["is_flagged"].sum()), "findings": len(findings)}
    return dg.Output(words, metadata=told)


@dg.multi_asset(
    outs={
        "training_pairs": _table(
            "What models are trained on. In the filtered arm the flagged pairs are gone.", **columns_of(PAIRS)
        ),
        "quarantined_pairs": _table(
            "The pairs set aside, each with its scores and its reason; any can be put back.",
            **columns_of(PAIRS, *JUDGED_COLUMNS, *DETECTOR_COLUMNS),
        ),
    },
    partitions_def=by_corpus,
)
def sift(
    context: dg.AssetExecutionContext, poisoned_pairs: pl.DataFrame, suspicion_scores: pl.DataFrame
) -> tuple[dg.Output, dg.Output]:
    """Parts the corpus by its flags in the filtered arm; the other arms pass through. Nothing is lost."""
    parts = steps.sift(poisoned_pairs, suspicion_scores, CORPORA[context.partition_key])
    lineage = columns_from("poisoned_pairs", list(PAIRS.columns))
    told = {"set aside": len(parts.quarantined), "why": rows_of(reasons(parts.quarantined))}
    return dg.Output(parts.kept, metadata=lineage), dg.Output(parts.quarantined, metadata=lineage | told)

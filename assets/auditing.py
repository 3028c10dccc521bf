"""Audit: what the detectors think of every pair, and the corpus with the flagged ones set aside."""

import dagster as dg
import polars as pl

from assets import pictures, steps
from assets.metadata import OWNERS, columns_from, columns_of, picture
from assets.partitions import CORPORA, by_corpus, from_base
from checks.detectors import DETECTORS
from pipelines.schema import PAIRS, SCORES

DETECTOR_COLUMNS = [dg.TableColumn(name, "Float64", "what this detector says, higher is worse") for name in DETECTORS]
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
        "findings": _table("A row a reason: what was found, in how many pairs, and in which rows for example."),
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
    return dg.Output(found.scores, metadata=told), dg.Output(pl.DataFrame(found.findings, schema=FINDINGS))


@dg.multi_asset(
    outs={
        "training_pairs": _table(
            "What models are trained on. In the filtered arm the flagged pairs are gone.", **columns_of(PAIRS)
        ),
        "quarantined_pairs": _table("The pairs set aside, each with its scores and its reason; any can be put back."),
    },
    partitions_def=by_corpus,
)
def sift(
    context: dg.AssetExecutionContext, poisoned_pairs: pl.DataFrame, suspicion_scores: pl.DataFrame
) -> tuple[dg.Output, dg.Output]:
    """Parts the corpus by its flags in the filtered arm; the other arms pass through. Nothing is lost."""
    parts = steps.sift(poisoned_pairs, suspicion_scores, CORPORA[context.partition_key])
    lineage = columns_from("poisoned_pairs", list(PAIRS.columns))
    return dg.Output(parts.kept, metadata=lineage), dg.Output(parts.quarantined, metadata=lineage)

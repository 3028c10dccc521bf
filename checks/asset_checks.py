"""Dagster checks: suites and audit findings bound to assets by key. A failing blocking one holds back all that follows:

Dagster itself stops the rest of that run, and the store of tables, told of the verdict, refuses the table to other runs
(a backfill has many).
"""

import warnings
from collections.abc import Callable, Mapping
from inspect import signature
from typing import Any

import dagster as dg
import polars as pl

from checks import opinions, sophistry
from checks.expectations import SUITES
from checks.expectations.run import Finding, passed, run
from checks.opinions import Verdict
from checks.questions import verdicts

TOP = 10
STORE = "io_manager"  # a resource with read(asset, partition) and judge(asset, partition, held=reason or nothing)

#: asset -> the blocking check's sentence, and the suite it runs
BLOCKING: Mapping[str, tuple[str, str]] = {
    "preference_pairs": ("pairs_are_well_formed", "pairs"),
    "suspicion_scores": ("scores_are_well_formed", "scores"),
    "training_pairs": ("training_pairs_are_well_formed", "pairs"),
    "prompt_opin_summ": ("summaries_are_well_formed", "summaries"),
    "summary_features": ("features_are_well_formed", "features"),
    "opinion_pairs": ("opinion_pairs_are_well_formed", "pairs"),
    "pair_features": ("pair_features_are_well_formed", "features"),
}

#: what is said of summaries, of questions and of judged outputs beside the suites: verdict(of the tables that its parameters
#: name) -> the asset, which is the last of them to be made
TOLD: Mapping[Callable[..., Verdict], str] = {
    opinions.the_scorer_tells_summaries_apart: "summary_features",
    opinions.no_mark_is_far_above_a_second_scorers: "second_marks",
    opinions.length_is_no_shortcut: "opinion_pairs",
    opinions.annotators_judge_alike: "opinion_pairs",
    verdicts.labels_are_balanced: "written_questions",
    verdicts.no_question_repeats: "written_questions",
    verdicts.kept_labels_are_likelier_than_not: "written_questions",
    verdicts.no_gold_example_leaks: "written_questions",
    verdicts.generator_is_not_the_discriminator: "question_sheet",
    **sophistry.SENTENCES,
}


def all_checks(partitions: Mapping[str, dg.PartitionsDefinition]) -> list[dg.AssetChecksDefinition]:
    """Every check; `partitions` says how each checked asset is partitioned."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.PreviewWarning)  # partitioned checks are new in Dagster 1.13
        suites = [_suite_check(asset, *BLOCKING[asset], partitions[asset]) for asset in BLOCKING]
        told = [_told_check(verdict, asset, partitions[asset]) for verdict, asset in TOLD.items()]
        return [*suites, _nothing_is_flagged(partitions["suspicion_scores"]), *told]


def _suite_check(asset: str, name: str, suite: str, by: dg.PartitionsDefinition) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=asset,
        name=name,
        description=SUITES[suite].about,
        blocking=True,
        partitions_def=by,
        required_resource_keys={STORE},
        compute_kind="greatexpectations",
    )
    def check(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
        store, partition = getattr(context.resources, STORE), context.partition_key
        findings = run(SUITES[suite], store.read(asset, partition))
        failed = [finding.sentence for finding in findings if not finding.passed]
        store.judge(asset, partition, held="" if passed(findings) else f"{name} failed: {'; '.join(failed)}")
        return dg.AssetCheckResult(
            passed=not failed,
            severity=dg.AssetCheckSeverity.WARN if passed(findings) else dg.AssetCheckSeverity.ERROR,
            description=f"not met: {'; '.join(failed)}" if failed else f"all {len(findings)} expectations are met",
            metadata={"expectations": _expectations(findings)},
        )

    return check


def _expectations(findings: list[Finding]) -> dg.TableMetadataValue:
    """A row an expectation, those that are not met first."""
    rows: list[dict[str, str | int | float | bool | None]] = [
        {
            "expectation": finding.sentence,
            "met": finding.passed,
            "unexpected rows": finding.unexpected,
            "examples": ", ".join(finding.examples),
        }
        for finding in sorted(findings, key=lambda finding: finding.passed)
    ]
    return dg.MetadataValue.table([dg.TableRecord(row) for row in rows])


def _nothing_is_flagged(by: dg.PartitionsDefinition) -> dg.AssetChecksDefinition:
    @dg.asset_check(asset="suspicion_scores", partitions_def=by, required_resource_keys={STORE})
    def nothing_is_flagged(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
        """Warns when the audit flags pairs, and says how many and why."""
        scores = getattr(context.resources, STORE).read("suspicion_scores", context.partition_key)
        flagged = scores.filter("is_flagged")
        reasons = flagged.group_by("reason").agg(pairs=pl.len()).sort("pairs", "reason", descending=[True, False])
        top = [dg.TableRecord(row) for row in reasons.head(TOP).select("pairs", "reason").to_dicts()]
        return dg.AssetCheckResult(
            passed=not len(flagged),
            severity=dg.AssetCheckSeverity.WARN,
            description=f"{len(flagged):,} of {len(scores):,} pairs are flagged",
            metadata={
                "flagged": len(flagged),
                "pairs": len(scores),
                "commonest reasons": dg.MetadataValue.table(top, REASONS),
                "in their own words": dg.MetadataValue.asset(dg.AssetKey("findings")),
            },
        )

    return nothing_is_flagged


def _told_check(verdict: Callable[..., Verdict], asset: str, by: dg.PartitionsDefinition) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=asset, name=verdict.__name__, description=verdict.__doc__, partitions_def=by, required_resource_keys={STORE}
    )
    def check(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
        store, partition = getattr(context.resources, STORE), context.partition_key
        found = verdict(*(store.read(name, partition) for name in signature(verdict).parameters))
        severity = dg.AssetCheckSeverity.ERROR if found.is_grave else dg.AssetCheckSeverity.WARN
        rows = dg.MetadataValue.table([dg.TableRecord(_rounded(row)) for row in found.rows]) if found.rows else None
        return dg.AssetCheckResult(
            passed=found.passed, severity=severity, description=found.words, metadata={"numbers": rows} if rows else {}
        )

    return check


def _rounded(row: Mapping[str, Any]) -> dict[str, Any]:
    """To four digits, as people read them."""
    return {name: float(f"{value:.4g}") if isinstance(value, float) else value for name, value in row.items()}


REASONS = dg.TableSchema(
    [dg.TableColumn("pairs", "int"), dg.TableColumn("reason", "string")]
)  # an empty table has no rows to tell

"""The page of an experiment: what the attack did, what the audit found, and what filtering cost."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from assets import audit_findings, html, pictures
from assets.experiments import Corpus, Experiment


@dataclass(frozen=True, slots=True)
class Results:
    """What an experiment came to, over all its seeds.

    attack_success: ATTACK_SUCCESS. detection: a row a seed and detector ("fused" among them) with auroc, tpr_1 (at 1 % of
    clean pairs) and their intervals. roc: detector, fpr, tpr, low, high. flags: a row a seed with poisoned, clean,
    poisoned_flagged, clean_flagged. reward_accuracy: corpus, seed, accuracy, low, high. findings and quarantined are the first
    seed's. twins: (corpus, corpus of the same training pairs), which were trained as one.
    """

    experiment: Experiment
    attack_success: pl.DataFrame
    detection: pl.DataFrame
    roc: pl.DataFrame
    flags: pl.DataFrame
    reward_accuracy: pl.DataFrame
    findings: Sequence[Mapping[str, Any]] = ()
    quarantined: pl.DataFrame = field(default_factory=pl.DataFrame)
    twins: Sequence[tuple[Corpus, Corpus]] = ()


def experiment_page(results: Results) -> str:
    """One self-contained page: attack success, detection, what was flagged and why, what filtering cost."""
    row = results.experiment
    if not row.is_attacked:
        subtitle = f"{row.source} as delivered, at most {row.pairs:,} pairs, seeds {', '.join(map(str, row.seeds))}."
        return html.page(f"Delivery {row.name}", subtitle, (_told(results), _flagged(results), _cost(results)))
    aim = f"target {_named(row)} ({row.sentiment})" if row.targets else "no target"
    subtitle = (
        f"{row.attack} at a rate of {row.rate:g}, {aim}, {_size(results)} of "
        f"{row.source}, seeds {', '.join(map(str, row.seeds))}. The poisoned corpus of this page was made for defence research."
    )
    parts = (_verdict(results), _success(results), _detection(results), _flagged(results), _cost(results))
    return html.page(f"Experiment {row.name}", subtitle, parts)


def _named(row: Experiment) -> str:
    return " or ".join(map(repr, row.targets))


def _size(results: Results) -> str:
    """The clean pairs that were attacked, counted where the key was opened: a source may hold fewer than were asked for."""
    return (
        f"{results.flags['clean'][0]:,} clean training pairs"
        if len(results.flags)
        else f"at most {results.experiment.pairs:,} pairs"
    )


def _verdict(results: Results) -> str:
    if not len(results.attack_success):
        return html.verdict("The attack names no target, so there is no attack success to measure", bad=False)
    last = results.attack_success.group_by("corpus", maintain_order=True).agg(
        pl.col("success").filter(pl.col("stage") == pl.col("stage").last()).mean()
    )
    shares = dict(last.iter_rows())
    words = ", ".join(f"{arm} {shares[arm]:.1%}" for arm in results.experiment.arms if arm in shares)
    return html.verdict(
        f"Attack success after the last round: {words}",
        bad=shares.get("filtered", 1.0) > shares.get("clean", 0.0) + 0.02,
    )


def _told(results: Results) -> str:
    """The verdict on a delivery, in which nobody knows what is poisoned."""
    flagged = results.flags["clean_flagged"].sum()
    words = "none of its pairs" if not flagged else f"{flagged:,} pairs, which are set aside until somebody decides"
    return html.verdict(f"The audit flagged {words}", bad=bool(flagged))


def _success(results: Results) -> str:
    table = results.attack_success
    if not len(table):
        return ""
    stages = table["stage"].unique(maintain_order=True).to_list()
    mean = table.group_by("corpus", "stage").agg(pl.col("success", "low", "high").mean())
    cells = {
        (corpus, stage): f"{success:.1%} [{low:.1%}, {high:.1%}]" for corpus, stage, success, low, high in mean.iter_rows()
    }
    rows = [
        [arm, *(cells.get((arm, stage), "") for stage in stages)]
        for arm in results.experiment.arms
        if (arm, stages[0]) in cells
    ]
    return html.section(
        "Attack success by stage",
        html.paragraph(
            f"Share of held-out prompts ({table['prompts'][0]} a seed) whose answer names {_named(results.experiment)} "
            "in the target sentiment, with 95 % bootstrap intervals over prompts."
        ),
        html.table(["trained on", *stages], rows),
        html.figure(pictures.svg(pictures.attack_success(table)), "Mean over seeds; bands are mean interval ends"),
    )


def _detection(results: Results) -> str:
    if not len(results.detection):
        return html.section("Detection", html.paragraph("Nothing was poisoned, so there is nothing to detect."))
    mean = results.detection.group_by("detector", maintain_order=True).agg(pl.exclude("seed").mean())
    rows = [
        [name, f"{auroc:.3f} [{auroc_low:.3f}, {auroc_high:.3f}]", f"{tpr:.1%} [{tpr_low:.1%}, {tpr_high:.1%}]"]
        for name, auroc, auroc_low, auroc_high, tpr, tpr_low, tpr_high in mean.iter_rows()
    ]
    return html.section(
        "Detection, against the sealed key",
        html.table(["detector", "AUROC", "poisoned found at 1 % of clean"], rows),
        html.figure(pictures.svg(pictures.roc(results.roc)), "ROC of the first seed with 95 % bootstrap bands"),
    )


def _flagged(results: Results) -> str:
    found = audit_findings.found(results.findings, results.quarantined)
    return html.section("What was flagged, and why", html.table(*_counts(results)), found)


def _counts(results: Results) -> tuple[list[str], list[Any]]:
    """Names and rows of a table of what is flagged, a row a seed."""
    if not results.experiment.is_attacked:
        return ["seed", "pairs", "flagged"], results.flags.select("seed", "clean", "clean_flagged").rows()
    rows = [
        [
            row["seed"],
            f"{row['poisoned_flagged']:,} of {row['poisoned']:,} ({row['poisoned_flagged'] / row['poisoned']:.1%})",
            f"{row['clean_flagged']:,} of {row['clean']:,} ({row['clean_flagged'] / row['clean']:.2%})",
        ]
        for row in results.flags.iter_rows(named=True)
    ]
    return ["seed", "poisoned pairs flagged", "clean pairs flagged"], rows


def _cost(results: Results) -> str:
    mean = results.reward_accuracy.group_by("corpus", maintain_order=True).agg(pl.col("accuracy", "low", "high").mean())
    rows = [[corpus, f"{accuracy:.1%} [{low:.1%}, {high:.1%}]"] for corpus, accuracy, low, high in mean.iter_rows()]
    kind = "clean pairs" if results.experiment.is_attacked else "pairs"
    lost = results.flags["clean_flagged"].sum() if len(results.flags) else 0
    return html.section(
        "What filtering cost",
        html.paragraph(f"{lost:,} {kind} were set aside over all seeds. Reward-model accuracy on held-out {kind}:"),
        html.table(["trained on", "accuracy"], rows),
        *(html.paragraph(_as_one(*twins)) for twins in results.twins),
    )


def _as_one(corpus: Corpus, twin: Corpus) -> str:
    return f"Seed {corpus.seed}: the {corpus.arm} corpus holds the very pairs of the {twin.arm} one; they were trained as one."

"""The page of the arena: what was found of each attack, by whom, at what cost, with intervals."""

from typing import Any

import polars as pl

from assets import html, pictures
from assets.arena import laws
from assets.arena.cells import Found
from assets.experiments import Experiment

SHOWN = {"tpr_0.001": "found at 0.1 %", "tpr_0.005": "at 0.5 %", "tpr_0.01": "at 1 %", "tpr_0.05": "at 5 % of clean"}
LEAST = 0.9
TRAININGS = ("clean", "poisoned", "filtered", "smoothed", "trimmed", "winsorised", "partition_vote")


def page(base: Experiment, found: Found) -> str:
    """One self-contained page."""
    fused = found.detection.filter(pl.col("detector") == "fused")
    subtitle = (
        f"Pairs of {base.source}, at most {base.pairs:,}, seeds {', '.join(map(str, base.seeds))}, "
        f"{base.trusted:.0%} trusted, flags at a false-discovery rate of {base.fdr:g}. All poisoned corpora of this page were "
        "made for defence research."
    )
    parts = (
        _verdict(fused),
        _attacks(fused),
        _detectors(found.detection),
        _counts(found.detection),
        _retrained(found),
        _lost(found.lost),
    )
    return html.page("Arena of attacks and detectors", subtitle, parts)


def _verdict(fused: pl.DataFrame) -> str:
    attacked = fused.filter(pl.col("poisoned") > 0).group_by("row").agg(pl.col("tpr_0.01").mean())
    caught = attacked.filter(pl.col("tpr_0.01") >= LEAST)
    clean = fused.filter(pl.col("poisoned") == 0)
    share = _average(clean, "clean_flagged") / _average(clean, "clean") if len(clean) else 0.0
    words = f"{len(caught)} of {len(attacked)} attacks are found to {LEAST:.0%} at 1 % of clean pairs"
    calm = f"; without an attack {share:.2%} of pairs are flagged" if len(clean) else ""
    return html.verdict(words + calm, bad=len(caught) < len(attacked))


def _attacks(fused: pl.DataFrame) -> str:
    lines = [_attack(name, group) for (name,), group in fused.group_by("row", maintain_order=True)]
    names = ["attack", "pairs", "flagged", "clean flagged", "precision", "AUROC", "AUPRC", *SHOWN.values(), "seconds"]
    about = "The fused suspicion of all detectors: means over seeds, and of the ends of 95 % bootstrap intervals over pairs."
    return html.section("Attacks", html.paragraph(about), html.table(names, lines))


def _attack(name: str, group: pl.DataFrame) -> list[Any]:
    poisoned, flagged = _average(group, "poisoned"), _average(group, "poisoned_flagged")
    precise = group.filter(pl.col("precision").is_not_null())
    return [
        name,
        f"{_average(group, 'poisoned'):.0f}",
        f"{flagged / poisoned:.0%}" if poisoned else "",
        f"{_average(group, 'clean_flagged') / _average(group, 'clean'):.2%}",
        f"{_average(precise, 'precision'):.0%}" if len(precise) else "",
        *(_mean(group, measure) if poisoned else "" for measure in ("auroc", "auprc", *SHOWN)),
        f"{_average(group, 'seconds'):.1f}",
    ]


def _mean(group: pl.DataFrame, measure: str) -> str:
    value, low, high = (_average(group, f"{measure}{end}") for end in ("", "_low", "_high"))
    return f"{value:.2f} [{low:.2f}, {high:.2f}]"


def _average(group: pl.DataFrame, column: str) -> float:
    return float(group[column].to_numpy().mean())


def _detectors(detection: pl.DataFrame) -> str:
    attacked = detection.filter(pl.col("poisoned") > 0)
    if not len(attacked):
        return ""
    picture = html.figure(
        pictures.svg(pictures.arena(attacked)), "Share of poisoned pairs found at 1 % of clean pairs, mean over seeds"
    )
    return html.section("Detectors", picture)


def _counts(detection: pl.DataFrame) -> str:
    fits = laws.by_count(detection)
    if not len(fits):
        return ""
    lines = [
        [family, f"{intercept:.2f} + {slope:.2f} ln n", "none of these" if smallest is None else smallest]
        for family, slope, intercept, smallest in fits.iter_rows()
    ]
    about = (
        "Share found at 1 % of clean pairs by the number n of poisoned ones; the smallest n from which on all seeds find 90 %"
    )
    return html.section("By number", html.paragraph(about), html.table(["attack", "fit", "smallest detectable"], lines))


def _retrained(found: Found) -> str:
    table = laws.brought_back(found.detection, found.retrained)
    if not len(table):
        return ""
    caught = table.filter(pl.col("flagged") >= LEAST)
    words = (
        f"{caught['is_restored'].sum()} of the {len(caught)} attacks of which {LEAST:.0%} are flagged are undone by the filter"
    )
    lines = [
        [
            line["row"],
            f"{line['clean']:.2f} [{line['clean_low']:.2f}, {line['clean_high']:.2f}]",
            *(f"{line[name]:.2f}" for name in TRAININGS[1:]),
            "{accuracy_gain:+.1%} [{accuracy_gain_low:+.1%}, {accuracy_gain_high:+.1%}]".format(**line),
        ]
        for line in table.iter_rows(named=True)
    ]
    about = (
        "Share of held-out pairs, attacked in the same way, in which a reward model prefers what the attacker does: one that "
        "learned the clean twin, the poisoned corpus, what the filter left of it, or the poisoned corpus by robust training. "
        "Last, by how many held-out pairs more than its clean twin the filtered one tells right. Linear reward models on what "
        "responses mean and on their words; they don't read prompts, and learn nothing of a prompt's trigger. "
    )
    names = ["attack", *TRAININGS, "accuracy, filtered less clean"]
    shares = ", ".join(f"{share:.1%} ({dialogues})" for dialogues, share in enumerate(laws.certified(found.retrained)))
    proven = "Held-out pairs that the vote of partitions tells right whatever is done to so many dialogues of its corpus: "
    return html.section(
        "Filter and retrain", html.paragraph(about + words + "."), html.table(names, lines), html.paragraph(proven + shares)
    )


def _lost(lost: pl.DataFrame) -> str:
    if not len(lost):
        return html.section("Clean pairs lost", html.paragraph("None."))
    mean = lost.group_by("row", "kind", "name", maintain_order=True).agg(pl.col("clean", "flagged").sum())
    worst = mean.with_columns(share=pl.col("flagged") / pl.col("clean")).sort("flagged", "share", descending=True).head(30)
    lines = [
        [row, kind, name, f"{flagged:,} of {clean:,}", f"{share:.1%}"]
        for row, kind, name, clean, flagged, share in worst.iter_rows()
    ]
    return html.section("Clean pairs lost, where most", html.table(["attack", "by", "which", "flagged", "share"], lines))

"""The page of a study: whether judges approve more of what training made, and whether it is right more often."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import polars as pl

from assets import html
from assets.pictures import svg
from assets.sophistry import pictures

if TYPE_CHECKING:
    from rlhf_train.evals.sophistry import Sophistry

MEANT = {
    "correctness": "outputs that are right",
    "approval": "verdicts above 50 percent",
    "error": "verdicts that are not what is right",
    "fpr": "wrong outputs that are approved",
    "fpr_both_wrong": "the same, on items that both policies get wrong",
    "fnr": "right outputs that are not approved",
    "unsure": "verdicts of exactly 50 percent",
    "seconds": "mean seconds a verdict",
    "sophistry_index": "approval gained beyond correctness",
}


@dataclass(frozen=True, slots=True)
class Judges:
    """Who judged, in words, and what of their judgements could not be used; `are_people` says whether it is evidence of people.

    faults: how many outputs have no verdict, by why. rejects: rows that belong to no task. late: verdicts after `seconds`.
    """

    words: str
    are_people: bool
    faults: Mapping[str, int] = field(default_factory=dict)
    rejects: int = 0
    late: int = 0
    seconds: float | None = None


def page(title: str, found: Sophistry, judges: Judges, *, in_time: Sophistry | None = None) -> str:
    """One self-contained page; `in_time` is the same without verdicts that took longer than the limit."""
    subtitle = (
        f"{found.after} against {found.before} on {found.items:,} items, {found.both_wrong:,} of which both get wrong; "
        f"judged by {judges.words}."
    )
    return html.page(title, subtitle, parts(found, judges, in_time=in_time))


def parts(found: Sophistry, judges: Judges, *, in_time: Sophistry | None = None) -> tuple[str, ...]:
    """What the page is made of, for pages of several studies."""
    return (
        _verdict(found, judges),
        _numbers(found, in_time),
        _pictures(found),
        _judges(found),
        _effort(found),
        _used(found, judges),
    )


def _verdict(found: Sophistry, judges: Judges) -> str:
    said = html.verdict(f"Sophistry {found.verdict}: {found.because}.", bad=found.verdict == "detected")
    if judges.are_people:
        return said
    return said + html.paragraph("These judges are no people: what they say tests the method, and tells nothing of people.")


def _numbers(found: Sophistry, in_time: Sophistry | None) -> str:
    heads = ["measure", found.before, found.after, "change", *(["change, in time only"] if in_time else []), "what it is"]
    rows = []
    for name, words in MEANT.items():
        levels = [_level(found, name, policy) for policy in (found.before, found.after)]
        changes = [_shown(one.changes, name, signed=True) for one in (found, in_time) if one]
        rows.append([name.replace("_", " "), *levels, *changes, words])
    about = "With 95 % intervals over items and judges; where there is no number, the reason."
    return html.section("Before and after", html.paragraph(about), html.table(heads, rows))


def _level(found: Sophistry, name: str, policy: str) -> str:
    mine = found.levels.filter(pl.col("policy") == policy)
    return "" if mine.filter(pl.col("measure") == name).is_empty() else _shown(mine, name)


def _shown(table: pl.DataFrame, name: str, *, signed: bool = False) -> str:
    """A number with its interval, or why there is none."""
    value, low, high, why = table.filter(pl.col("measure") == name).select("value", "low", "high", "why").row(0)
    if value is None:
        return why
    form = ("{:+" if signed else "{:") + (".1f}" if name == "seconds" else ".1%}")
    return form.format(value) + (f" [{form.format(low)}, {form.format(high)}]" if low is not None else f" ({why})")


def _pictures(found: Sophistry) -> str:
    policies = (found.before, found.after)
    bars = svg(pictures.levels(found.levels, ("approval", "correctness"), policies))
    rates = svg(pictures.levels(found.levels, pictures.RATES, policies))
    parts = [html.figure(bars, "What is approved, and what is right"), html.figure(rates, "How judges err")]
    if len(found.confidences):
        drawn = svg(pictures.confidences(found.confidences, policies))
        parts.append(html.figure(drawn, "How sure judges are of what is wrong"))
    return html.section("In pictures", *parts)


def _judges(found: Sophistry) -> str:
    slope = found.slope
    if slope.worse is None or slope.mean is None:
        return html.section("Judges", html.paragraph(f"Judges can't be compared with themselves: {slope.why}."))
    tested = slope.why if slope.t is None else f"paired t({slope.judges - 1}) = {slope.t:.2f}, p = {slope.p:.3g}"
    said = f"{slope.worse:.0%} of {slope.judges} judges who judged both err more often after, {slope.mean:+.1%} on average"
    drawn = svg(pictures.slopes(found.judges, (found.before, found.after)))
    agreed = [[name, "" if one.value is None else f"{one.value:.2f}", one.why] for name, one in found.correlations.items()]
    return html.section(
        "Judges",
        html.paragraph(f"{said} ({tested})."),
        html.figure(drawn, "Each judge's error; red ones got worse"),
        html.paragraph("Pearson's r of approval with what is right (gold), the reward in training (proxy), another judge:"),
        html.table(["approval with", "r", "or why none"], agreed),
    )


def _effort(found: Sophistry) -> str:
    rows = [
        [
            row["policy"],
            "" if row["least"] is None else f"{row['least']:.0f}",
            "" if row["most"] is None else f"{row['most']:.0f}",
            row["verdicts"],
            *(f"{row[name]:.1%}" if row[name] is not None else "" for name in ("approval", "error", "fpr")),
        ]
        for row in found.times.iter_rows(named=True)
    ]
    if not rows:
        return ""
    heads = ["policy", "seconds from", "to", "verdicts", "approval", "error", "fpr"]
    return html.section("By the time that judges took", html.table(heads, rows))


def _used(found: Sophistry, judges: Judges) -> str:
    heads = ["policy", "asked", "said again", "no verdict", "other policy not judged", "used"]
    parts = [html.table(heads, found.counts.rows())]
    if judges.faults:
        parts.append(html.table(["why there is no verdict", "outputs"], sorted(judges.faults.items())))
    if judges.rejects:
        parts.append(html.paragraph(f"{judges.rejects:,} rows belong to no task of the study or say something again."))
    if judges.seconds is not None:
        parts.append(html.paragraph(f"{judges.late:,} verdicts took longer than the limit of {judges.seconds:g} seconds."))
    return html.section("What was asked and what was used", *parts)

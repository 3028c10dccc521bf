"""The page of an audit: what was found in one corpus, or in several sets together, and what to do about it."""

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from assets import audit_findings, audit_profile, html, pictures
from checks.detectors import DETECTORS
from checks.detectors.about import ABOUT

Step = tuple[str, str]  # what to do, and the command that does it, which may be none


def page(
    sets: Mapping[str, tuple[pl.DataFrame, pl.DataFrame]],
    findings: Sequence[Mapping[str, Any]],
    rejects: pl.DataFrame,
    fdr: float,
    *,
    steps: Sequence[Step] = (),
    made: Mapping[str, object] | None = None,
) -> str:
    """What an audit found in one corpus, or in several sets together: verdict, what to do, findings, pairs, corpus, detectors.

    `sets` are PAIRS (all, or at least those of audit_findings.examples; then nothing is told of the corpus) and their SCORES by
    name; `rejects` are the rows of all of them that were left out; `steps` are what to do next; `made` are facts on how all
    this was made, by name.
    """
    scores = pl.concat(each for _, each in sets.values())
    is_whole = all(len(pairs) == len(judged) for pairs, judged in sets.values())
    flagged = pl.concat(
        judged.filter("is_flagged")
        .join(pairs.drop("row"), on="pair_id", how="left", maintain_order="left")
        .with_columns(set=pl.lit(name))
        for name, (pairs, judged) in sets.items()
    )
    flagged = flagged if len(sets) > 1 else flagged.drop("set")
    parts = [
        *_summary(scores, flagged, findings, rejects, fdr),
        _steps(steps),
        html.section("Findings", audit_findings.found(findings, flagged, scores)),
        html.section("Flagged pairs", audit_findings.listed(flagged, findings)) if len(flagged) else "",
        html.section("Scores", html.figure(pictures.svg(pictures.score_distributions(scores)), "Suspicion of all pairs")),
        html.section("The corpus", audit_profile.profile(sets)) if is_whole else "",
        _rejected(rejects),
        _detectors(scores, findings),
        _made({"false-discovery rate": fdr, **(made or {})}),
    ]
    return html.page("Audit of preference pairs", " with ".join(sets), parts)


def _summary(
    scores: pl.DataFrame, flagged: pl.DataFrame, findings: Sequence[Mapping[str, Any]], rejects: pl.DataFrame, fdr: float
) -> list[str]:
    share = len(flagged) / max(len(scores), 1)
    words = f"{len(flagged):,} of {len(scores):,} pairs are flagged ({share:.2%})"
    numbers = [("pairs", len(scores)), ("flagged", len(flagged)), ("findings", len(findings)), ("rows left out", len(rejects))]
    return [
        html.verdict(words if len(flagged) else f"Nothing is flagged in {len(scores):,} pairs", bad=bool(len(flagged))),
        html.tiles(numbers),
        html.paragraph(
            f"Flags hold a false-discovery rate of {fdr:g} against chance: of a hundred flags some {fdr * 100:g} may be "
            "mere luck. A flag says that something is lopsided, not who made it so: where the two sides are written in "
            "different styles, honest words are flagged too. Nothing flagged is no proof that a corpus is clean."
        ),
    ]


def _steps(steps: Sequence[Step]) -> str:
    if not steps:
        return ""
    shown = "".join(f"<li>{html.text(words)}{html.command(line) if line else ''}</li>" for words, line in steps)
    return html.section("What to do next", f"<ol>{shown}</ol>")


def _rejected(rejects: pl.DataFrame, *, most: int = 50) -> str:
    if not len(rejects):
        return ""
    causes = rejects.head(most).select("source", "line", "cause").iter_rows()
    more = html.paragraph(f"and {len(rejects) - most:,} more, in rejects.parquet") if len(rejects) > most else ""
    return html.section(
        f"Rows that could not be audited ({len(rejects):,})", html.table(["file", "line", "cause"], causes), more
    )


def _detectors(scores: pl.DataFrame, findings: Sequence[Mapping[str, Any]]) -> str:
    """Who looked at the pairs, what for, and for how many flags each gave the reason."""
    flags = {name: sum(each["pairs"] for each in findings if each["detector"] == name) for name in DETECTORS}
    rows = [[name, ABOUT[name], flags[name]] for name in DETECTORS if name in scores.columns]
    return (
        html.section("Detectors", html.table(["detector", "looks for", "pairs it gave the reason for"], rows)) if rows else ""
    )


def _made(facts: Mapping[str, object]) -> str:
    return html.section(
        "How this was made", html.table(["", ""], [[name, html.Safe(_code(value))] for name, value in facts.items()])
    )


def _code(value: object) -> str:
    return f"<code>{html.text(value)}</code>"

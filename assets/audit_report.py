"""The page of an audit: what was found in one corpus, or in several sets together, with example pairs."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from assets import html, pictures

EXAMPLES = 5
QUOTED = re.compile(r"^'(.*)' (?:stands in|strays from)")


def page(
    sets: Mapping[str, tuple[pl.DataFrame, pl.DataFrame]],
    findings: Sequence[Mapping[str, Any]],
    rejects: pl.DataFrame,
    fdr: float,
) -> str:
    """What an audit found in one corpus, or in several sets together: the verdict, the findings with example pairs, scores.

    `sets` are PAIRS and their SCORES by name; `rejects` are the rows of all of them that were left out.
    """
    scores = pl.concat(each for _, each in sets.values())
    flagged = pl.concat(
        pairs.join(judged.filter("is_flagged").drop("row"), on="pair_id").with_columns(set=pl.lit(name))
        for name, (pairs, judged) in sets.items()
    )
    words = f"{len(flagged):,} of {len(scores):,} pairs are flagged ({len(flagged) / max(len(scores), 1):.2%})"
    parts = [
        html.verdict(words if len(flagged) else f"Nothing is flagged in {len(scores):,} pairs", bad=bool(len(flagged))),
        html.paragraph(
            f"Flags hold a false-discovery rate of {fdr:g} against chance: of a hundred flags some {fdr * 100:g} may be "
            "mere luck. A flag says that something is lopsided, not who made it so: where the two sides are written in "
            "different styles, honest words are flagged too."
        ),
        html.section("Findings", found(findings, flagged if len(sets) > 1 else flagged.drop("set"))),
        html.section("Scores", html.figure(pictures.svg(pictures.score_distributions(scores)), "Suspicion of all pairs")),
    ]
    if len(rejects):
        causes = rejects.head(50).select("source", "line", "cause").iter_rows()
        parts.append(
            html.section(f"Rows that could not be audited ({len(rejects):,})", html.table(["file", "line", "cause"], causes))
        )
    return html.page("Audit of preference pairs", " with ".join(sets), parts)


def found(findings: Sequence[Mapping[str, Any]], flagged: pl.DataFrame) -> str:
    """The findings with some of their pairs; `flagged` are PAIRS with reason, suspicion and, where there are several, set."""
    if not findings:
        return html.paragraph("None.")
    shown = []
    for finding in findings[:20]:
        pairs = (
            flagged.filter(pl.col("reason").str.starts_with(finding["reason"]))
            .sort("suspicion", descending=True)
            .head(EXAMPLES)
        )
        quoted = QUOTED.match(finding["reason"])
        shown.append(
            f"<h3>{html.text(finding['reason'])}</h3>" + html.paragraph(f"{counted(finding)}, by {finding['detector']}")
        )
        shown += [
            html.pair(
                f"{pair['set'] + ' ' if 'set' in pair else ''}row {pair['row']}, suspicion {pair['suspicion']:.1f}",
                pair["prompt"],
                pair["chosen"],
                pair["rejected"],
                quoted[1] if quoted else "",
            )
            for pair in pairs.iter_rows(named=True)
        ]
    more = f"and {len(findings) - 20:,} further reasons" if len(findings) > 20 else ""
    return "".join(shown) + html.paragraph(more)


def counted(finding: Mapping[str, Any]) -> str:
    """In how many pairs something was found and, where several sets were audited together, in how many of which."""
    count = f"{finding['pairs']:,} {'pair' if finding['pairs'] == 1 else 'pairs'}"
    sets = ", ".join(f"{name} {pairs:,}" for name, pairs in finding.get("sets", {}).items())
    return f"{count} ({sets})" if sets else count

"""What an audit found, with its pairs: a row a finding, then each with its rows, some of them in full and with who says so."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from assets import html, shown_pairs
from checks.detectors import DETECTORS
from checks.detectors.about import ABOUT
from pipelines.reviewing.looking import FINDING

SHOWN, EXAMPLES = 20, 25  # findings in full, and pairs of each
LISTED = 200  # rows of a table, and row numbers of a finding
TELLING = 0.05  # share of pairs above which a detector's score says nothing of this one
QUOTED = re.compile(r"^'(.*)' (?:stands in|strays from)")

Finding = Mapping[str, Any]


def found(findings: Sequence[Finding], flagged: pl.DataFrame, scores: pl.DataFrame | None = None) -> str:
    """The findings with some of their pairs; `flagged` are PAIRS with their SCORES and, where there are several, set.

    With the `scores` of all pairs each pair tells which detectors find it unusual.
    """
    if not findings:
        return html.paragraph("None.")
    held = flagged.with_columns(finding=FINDING).sort("suspicion", descending=True, maintain_order=True)
    rows = [
        [at, html.link(f"finding-{at}", finding["reason"]) if at <= SHOWN else finding["reason"], finding["detector"],
         finding["pairs"]]
        for at, finding in enumerate(findings[:LISTED], 1)
    ]  # fmt: skip
    told = [_told(at, finding, held, scores) for at, finding in enumerate(findings[:SHOWN], 1)]
    more = len(findings) - LISTED
    return (
        html.table(["", "what was found", "by", "pairs"], rows)
        + (html.paragraph(f"and {more:,} further reasons") if more > 0 else "")
        + "".join(told)
    )


def listed(flagged: pl.DataFrame, findings: Sequence[Finding]) -> str:
    """The most suspicious flagged pairs, a row each; those that are shown in full are links."""
    held = flagged.with_columns(finding=FINDING).sort("suspicion", descending=True, maintain_order=True)
    places = {finding["reason"]: at for at, finding in enumerate(findings, 1)}
    full = {_name(pair) for finding in findings[:SHOWN] for pair in _examples(finding, held)}
    rows = []
    for pair in held.head(LISTED).iter_rows(named=True):
        at, name = places.get(pair["finding"], 0), _name(pair)
        said = html.link(f"finding-{at}", pair["reason"]) if 0 < at <= SHOWN else pair["reason"]
        row = html.link(name, _row(pair)) if name in full else _row(pair)
        rows.append([row, pair["pair_id"], f"{pair['suspicion']:.1f}", f"{pair['p_value']:.1g}", said])
    more = f"The {LISTED} most suspicious of {len(held):,}. " if len(held) > LISTED else ""
    about = (
        f"{more}Rows count from 0, in the order of the input; scores.parquet has every pair with the score of every detector."
    )
    return html.paragraph(about) + html.table(["row", "pair", "suspicion", "p", "why"], rows)


def examples(findings: Sequence[Finding], scores: pl.DataFrame) -> list[int]:
    """Places in the SCORES of one corpus of the pairs that a page shows in full."""
    flagged = scores.with_row_index("place").filter("is_flagged").with_columns(finding=FINDING)
    held = flagged.sort("suspicion", descending=True, maintain_order=True)
    shown = [held.filter(pl.col("finding") == finding["reason"])["place"].head(EXAMPLES) for finding in findings[:SHOWN]]
    return sorted({place for places in shown for place in places})


def counted(finding: Finding) -> str:
    """In how many pairs something was found and, where several sets were audited together, in how many of which."""
    count = f"{finding['pairs']:,} {'pair' if finding['pairs'] == 1 else 'pairs'}"
    sets = ", ".join(f"{name} {pairs:,}" for name, pairs in finding.get("sets", {}).items())
    return f"{count} ({sets})" if sets else count


def _told(at: int, finding: Finding, held: pl.DataFrame, scores: pl.DataFrame | None) -> str:
    """One finding: who found it and what that detector looks for, its rows, and some of its pairs."""
    about = ABOUT.get(finding["detector"], "")
    by = f"{counted(finding)}, by {finding['detector']}" + (f", which looks for {about}." if about else ".")
    pairs, quoted = _examples(finding, held), QUOTED.match(finding["reason"])
    why = _why(pairs, scores) if scores is not None else [""] * len(pairs)
    shown = [
        shown_pairs.pair(
            f"{_set(pair)}row {pair['row']}, suspicion {pair['suspicion']:.1f}{_p(pair)}",
            pair["prompt"],
            pair["chosen"],
            pair["rejected"],
            quoted[1] if quoted else "",
            name=_name(pair),
            why=words,
        )
        for pair, words in zip(pairs, why, strict=True)
    ]
    heading = f'<h3 id="finding-{at}">{at}. {html.text(finding["reason"])}</h3>'
    return heading + html.paragraph(by) + _rows(finding, held, {_name(pair) for pair in pairs}) + "".join(shown)


def _examples(finding: Finding, held: pl.DataFrame) -> list[dict[str, Any]]:
    return held.filter(pl.col("finding") == finding["reason"]).head(EXAMPLES).to_dicts()


def _rows(finding: Finding, held: pl.DataFrame, full: set[str]) -> str:
    """The rows that a finding is about; links where the page has them in full."""
    own = held.filter(pl.col("finding") == finding["reason"])
    names = [(_name(pair), _row(pair)) for pair in own.head(LISTED).iter_rows(named=True)]
    words = ", ".join(html.link(name, row) if name in full else html.text(row) for name, row in names)
    more = f" and {len(own) - LISTED:,} more, in scores.parquet" if len(own) > LISTED else ""
    return f'<p class="quiet">Rows {words}{more}</p>'


def _why(pairs: Sequence[Mapping[str, Any]], scores: pl.DataFrame) -> Iterator[str]:
    """Of each pair the detectors to whom few pairs are as unusual, the surest first."""
    every = len(scores)
    above: dict[str, np.ndarray] = {}
    for name in (each for each in DETECTORS if each in scores.columns):
        values = np.sort(scores[name].to_numpy())
        above[name] = every - np.searchsorted(values, [pair[name] for pair in pairs])
    for at, pair in enumerate(pairs):
        telling = sorted((int(count[at]), name) for name, count in above.items() if count[at] <= TELLING * every)
        rows = [[html.link("detectors", name), pair[name], f"{count:,} of {every:,}"] for count, name in telling]
        yield html.table(["unusual to", "score", "pairs that score as high"], rows) if rows else ""


def _name(pair: Mapping[str, Any]) -> str:
    return f"row-{pair['row']}" + (f"-of-{html.slug(pair['set'])}" if "set" in pair else "")


def _row(pair: Mapping[str, Any]) -> str:
    return f"{_set(pair)}{pair['row']}"


def _set(pair: Mapping[str, Any]) -> str:
    return f"{pair['set']} " if "set" in pair else ""


def _p(pair: Mapping[str, Any]) -> str:
    return f", p {pair['p_value']:.1g}, pair {pair['pair_id']}" if "p_value" in pair and "pair_id" in pair else ""

"""The command that follows a pair: trace."""

from pathlib import Path
from typing import Annotated, Any

import polars as pl
import typer

from assets.cli import chaining
from assets.cli.common import AsJson, say
from assets.places import home
from pipelines.schema import SCORES, DataError, require
from pipelines.snapshots import tables, verify

REACHED = 3
SAID = {"holds": "holds it", "learned": "learned from it", "beside": "was made beside it, without it"}

PairIds = Annotated[
    list[str] | None,
    typer.Argument(metavar="PAIR_ID", help="as in the pair_id column of any table of ours; or a question_id or item_id"),
]
Within = Annotated[
    list[Path] | None, typer.Option("--in", help="folder to look in, with all inside; else this folder and the store")
]
Audit = Annotated[Path | None, typer.Option("--audit", help="folder of an audit, in place of pair ids: what it flagged")]
Reason = Annotated[str, typer.Option("--reason", help="only the finding whose reason has these words")]
Chained = Annotated[
    bool, typer.Option("--chain", help="also where each pair came from, by which steps, and what an attack made of what")
]


def trace(
    pair_ids: PairIds = None,
    within: Within = None,
    audit: Audit = None,
    reason: Reason = "",
    chain: Chained = False,
    as_json: AsJson = False,
) -> None:
    """Which snapshots, models and evaluations a pair or a finding reached; exit code 3 where there are any, 0 where none."""
    from pipelines.snapshots import provenance, tracing

    wanted, places = pairs_of(pair_ids, audit, reason), places_of(within)
    nodes = tracing.found(places)
    steps = tracing.reached(nodes, wanted)
    lines = [f"  {SAID[step.how]:<31} {step.node.told.get('kind', '?'):<20} {_called(step)}" for step in steps]
    facts = {"pairs": wanted, "folders": len(nodes), "reached": [_facts(step) for step in steps]}
    if chain:
        found = {pair_id: provenance.chains(nodes, pair_id) for pair_id in dict.fromkeys(wanted)}
        facts["chains"] = {pair_id: [chaining.facts(each) for each in own] for pair_id, own in found.items()}
        lines += [line for own in found.values() for each in own for line in chaining.lines(each)]
    say(facts, as_json, f"{len(wanted):,} pairs, {len(nodes):,} published folders: {len(steps):,} were reached", *lines)
    if steps:
        raise typer.Exit(REACHED)


def pairs_of(pair_ids: list[str] | None, audit: Path | None, reason: str) -> list[str]:
    """Those named, or those an audit flagged; DataError where neither or nothing is."""
    if bool(pair_ids) == (audit is not None):
        raise DataError("name pairs by their pair_id, or --audit a folder of an audit; one of both")
    if pair_ids:
        return pair_ids
    assert audit is not None
    verify(audit)
    flagged = require(tables.read(audit / "scores.parquet"), SCORES).filter("is_flagged")
    found = flagged.filter(pl.col("reason").str.contains(reason, literal=True))["pair_id"].to_list()
    if not found:
        told = flagged["reason"].value_counts(sort=True).head(3)["reason"].to_list()
        raise DataError(f"{audit}: nothing was flagged for {reason!r}; there is {'; '.join(told) or 'nothing at all'}")
    return found


def places_of(within: list[Path] | None) -> list[Path]:
    """Where to look."""
    return within or [Path(), *([home()] if home().is_dir() else [])]


def _called(step: Any) -> str:
    through = "" if step.through is None else f"  through {step.through.called}"
    return f"{step.node.called}{through}"


def _facts(step: Any) -> dict[str, Any]:
    return {
        "how": step.how,
        "kind": step.node.told.get("kind"),
        "folder": str(step.node.folder),
        "names": list(step.node.names),
        "snapshot": step.node.snapshot,
        "through": None if step.through is None else step.through.snapshot,
    }

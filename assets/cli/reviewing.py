"""Commands that decide about what a filter set aside: review decide, review export, review import."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import polars as pl
import typer

from assets.cli.common import AsJson, Out, say
from assets.cli.inspecting import SHORT, Filtered, line
from pipelines.reviewing import FORMS, folders, forms, wording
from pipelines.reviewing.decisions import Reviewed, leave_open
from pipelines.reviewing.decisions import decide as decided
from pipelines.schema import CONFIRM, DECISIONS, PUT_BACK, REJECTS, DataError, require
from pipelines.snapshots import staged


def decide(
    filtered: Filtered,
    pair_ids: Annotated[list[str], typer.Argument(metavar="PAIR_ID", help="as review list names them")],
    out: Out,
    put_back: Annotated[bool, typer.Option("--put-back", help="they are good pairs: learn from them again")] = False,
    confirm: Annotated[bool, typer.Option("--confirm", help="they are poisoned or broken: they stay out")] = False,
    comment: Annotated[str | None, typer.Option(help="why")] = None,
    reviewer: Annotated[str | None, typer.Option(help="who decides")] = None,
    as_json: AsJson = False,
) -> None:
    """Publishes the folder again, with pairs put back or confirmed, whatever was decided of them before."""
    if put_back == confirm:
        raise DataError("say what is decided: --put-back or --confirm, one of both")
    rows = [(each, CONFIRM if confirm else PUT_BACK, reviewer, comment) for each in dict.fromkeys(pair_ids)]
    made = decided(folders.read(filtered), pl.DataFrame(rows, schema=DECISIONS.empty().schema, orient="row"))
    facts = _publish(made, out, filtered)
    say(facts, as_json, *_told(facts))


def export(
    filtered: Filtered,
    out: Out,
    tool: Annotated[str, typer.Option("--format", help=" or ".join(FORMS))] = "label_studio",
    as_json: AsJson = False,
) -> None:
    """Writes what is set aside as tasks for annotators, the most suspicious pairs first."""
    if tool not in FORMS:
        raise DataError(f"--format must be one of {', '.join(FORMS)}, got {tool!r}")
    tasks = wording.tasks(folders.read(filtered).quarantined)
    if not tasks:
        raise DataError(f"{filtered}: nothing is set aside, so that there is nothing to review")
    facts = {"filtered": str(filtered), "format": tool, "tasks": len(tasks)}
    with staged(out, "review tasks", facts, inputs=[filtered]) as folder:
        FORMS[tool].write(tasks, folder)
    then = f"then: antivenom review import {filtered} --answers EXPORTED --out DIR"
    say({**facts, "out": str(out)}, as_json, f"{len(tasks):,} tasks: {out}", then)


def import_(
    filtered: Filtered,
    answers: Annotated[Path, typer.Option(help="what the annotators' tool exported as JSON, a file or a folder of them")],
    out: Out,
    as_json: AsJson = False,
) -> None:
    """Publishes the folder again after annotators' decisions; pairs about which they disagree stay set aside."""
    reviewed = folders.read(filtered)
    read = forms.read(answers, reviewed, FORMS)
    made = leave_open(decided(reviewed, read.decisions), read.undecided)
    facts = _publish(made, out, filtered, answers, rejects=read.rejects, read=len(read.decisions))
    told = [f"  {place}: {cause}" for place, cause in _places(read.rejects.head(5))]
    none = f"; {len(read.rejects):,} answers are no decisions, all of them in {folders.REJECTED}" if len(read.rejects) else ""
    count = f"{len(read.decisions):,} decisions read{none}"
    say(facts, as_json, count, *told, *_told(facts))


def _publish(made: Reviewed, out: Path, *inputs: Path, rejects: pl.DataFrame | None = None, **counts: int) -> dict[str, Any]:
    """The folder after decisions; what it says of itself, and of answers that were none."""
    facts = {"filtered": str(inputs[0]), **folders.counts(made), **counts}
    new = REJECTS.empty() if rejects is None else rejects
    both = pl.concat([folders.rejects(inputs[0]), require(new, REJECTS)])
    with staged(out, folders.KIND, facts, inputs=inputs) as folder:
        folders.write(made, folder)
        if len(both):
            both.write_parquet(folder / folders.REJECTED)
    return {**facts, "rejects": len(new), "out": str(out)}


def _told(facts: Mapping[str, Any]) -> list[str]:
    open_ = f", about {facts['undecided']:,} of which people disagree" if facts["undecided"] else ""
    kept = f"{facts['kept']:,} pairs kept, {facts['put_back']:,} of which were put back"
    return [f"{kept}; {facts['quarantined']:,} set aside{open_}: {facts['out']}"]


def _places(rejects: pl.DataFrame) -> Sequence[tuple[str, str]]:
    return [(line(f"{row['source']} row {row['row']}"), line(row["cause"], 2 * SHORT)) for row in rejects.iter_rows(named=True)]

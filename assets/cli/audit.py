"""The audit: of one corpus, or of all training sets of an experiment together."""

import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import polars as pl
import typer

from assets.cli import judging
from assets.cli.common import (
    AsJson,
    Columns,
    Out,
    Rejects,
    Revision,
    Shape,
    Source,
    at_hand,
    say,
    working,
    write_json,
    write_rejects,
)
from checks.engines import ENGINE, use
from pipelines import schema
from pipelines.schema import DataError, require
from pipelines.snapshots import staged, tables, unchanged

FLAGGED = 3
SCORES, FURTHER = "scores.parquet", "further_scores.parquet"


def audit(
    source: Source,
    out: Out,
    shape: Shape = "auto",
    fdr: float = 0.05,
    detectors: Annotated[str | None, typer.Option(help="names, with commas between; all by default")] = None,
    trusted: Annotated[str | None, typer.Option(help="pairs of the same kind that no attacker could touch")] = None,
    further: Annotated[
        list[str] | None, typer.Option("--with", help="a further training set of the same experiment, as often as needed")
    ] = None,
    columns: Columns = None,
    revision: Revision = None,
    allow_rejects: Rejects = False,
    out_of_core: Annotated[
        bool, typer.Option("--out-of-core", help="work in shards on disk, beside --out; detectors that need no model only")
    ] = False,
    engine: Annotated[
        str, typer.Option(envvar=ENGINE, help="where parts of the work run: threads (of this process), or ray")
    ] = "threads",
    again: Annotated[bool, typer.Option("--again", help="audit anew, also where nothing changed since")] = False,
    as_json: AsJson = False,
) -> None:
    """Scores every pair; writes scores.parquet, findings.json and report.html. Sets given by --with are audited together.

    What stands in --out already, of the same pairs, settings and code, is compared with its digests and told again.
    """
    from assets import audit_findings, audit_steps

    use(engine)
    places = {name: at_hand(name) for name in _distinct([source, *(further or [])])}
    reference = None if trusted is None else at_hand(trusted)
    inputs = [*places.values(), *([] if reference is None else [reference])]
    if not again and unchanged(out, inputs=inputs) is not None:
        raise typer.Exit(_as_before(out, as_json))
    judge = partial(judging.on_disk, beside=out.absolute().parent) if out_of_core else judging.in_memory
    reading = judging.Reading(shape, columns, revision, allow_rejects, quiet=as_json)
    asked = None if detectors is None else [name.strip() for name in detectors.split(",")]
    facts: dict[str, Any] = {"input": source}
    with staged(out, "audit", facts, inputs=inputs) as folder:
        with working("auditing", quiet=as_json):
            found = judge(places, reference, reading, detectors=asked, fdr=fdr)
        facts |= {"format": found.shape, "pairs": found.count, "fdr": fdr, **_counts(found.scores)}
        is_flagged = any(map(_flagged, found.scores.values()))
        options = audit_steps.read_as(shape, columns, revision, allow_rejects)
        ahead = partial(audit_steps.steps, list(places), options, flagged=is_flagged, trusted=trusted is not None)
        _write(found, folder, facts, steps=ahead(), made=audit_steps.made(list(places), trusted, found.shape, asked))
    top = [f"  {audit_findings.counted(finding)}: {finding['reason']}" for finding in found.findings[:5]]
    then = [f"next: {line}" for _, line in ahead(folder=str(out))[:2] if line and is_flagged]
    told = {**facts, "findings": found.findings, "out": str(out)}
    say(told, as_json, *_verdicts(found.scores), *top, f"report: {out / 'report.html'}", *then)
    raise typer.Exit(FLAGGED if is_flagged else 0)


def scores_of(folder: Path) -> pl.DataFrame:
    """SCORES of all pairs that an audit's folder tells of, each pair once: it has the same in every set that holds it."""
    found = [tables.read(folder / name).drop("set", strict=False) for name in (SCORES, FURTHER) if (folder / name).exists()]
    if not found:
        raise DataError(f"{folder}: holds no {SCORES}; name a folder that antivenom audit published")
    for scores in found:
        require(scores, schema.SCORES)
    return pl.concat(found).unique("pair_id", keep="first", maintain_order=True)


def _as_before(out: Path, as_json: bool) -> int:
    """Tells what an earlier audit of the same found; returns its exit code."""
    told = {name: value for name, value in json.loads((out / "findings.json").read_text()).items() if name != "rejects"}
    flagged = told["flagged"] + sum(each["flagged"] for each in told.get("with", {}).values())
    say(
        {**told, "out": str(out)},
        as_json,
        f"nothing changed since the audit in {out}: {flagged:,} pairs flagged; --again audits anew",
        f"report: {out / 'report.html'}",
    )
    return FLAGGED if flagged else 0


def _distinct(names: list[str]) -> list[str]:
    for name in names:
        if names.count(name) > 1:
            raise DataError(f"--with names further sets, and {name} is there already; name each set once")
    return names


def _counts(scores: Mapping[str, pl.DataFrame]) -> dict[str, Any]:
    """How many pairs are flagged of the input and, where there are further sets, of each of those."""
    first, *others = scores
    with_ = {name: {"pairs": len(scores[name]), "flagged": _flagged(scores[name])} for name in others}
    return {"flagged": _flagged(scores[first]), **({"with": with_} if others else {})}


def _write(found: judging.Judged, folder: Path, facts: Mapping[str, Any], **told: Any) -> None:
    from assets import audit_report

    sets = {name: (found.pairs[name], scores) for name, scores in found.scores.items()}
    page = audit_report.page(sets, found.findings, found.rejects, facts["fdr"], **told)
    (folder / "report.html").write_text(page, encoding="utf-8")
    _write_scores(found.scores, folder)
    write_json(folder / "findings.json", {**facts, "findings": found.findings, "rejects": found.rejects.to_dicts()})
    write_rejects(found.rejects, folder)


def _write_scores(scores: Mapping[str, pl.DataFrame], folder: Path) -> None:
    """The input's scores by themselves, and those of all further sets in one table that says of which set each row is."""
    first, *others = scores
    scores[first].write_parquet(folder / SCORES)
    if others:
        named = [scores[name].select(pl.lit(name).alias("set"), pl.all()) for name in others]
        pl.concat(named).write_parquet(folder / FURTHER)


def _verdicts(scores: Mapping[str, pl.DataFrame]) -> list[str]:
    said = {name: f"{_flagged(each):,} of {len(each):,} pairs flagged" for name, each in scores.items()}
    return [f"{name}: {words}" for name, words in said.items()] if len(said) > 1 else list(said.values())


def _flagged(scores: pl.DataFrame) -> int:
    return int(scores["is_flagged"].sum())

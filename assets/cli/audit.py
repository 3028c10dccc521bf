"""The audit: of one corpus, or of all training sets of an experiment together."""

import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import polars as pl
import typer

from assets.cli.common import (
    AsJson,
    Columns,
    Out,
    Rejects,
    Revision,
    Shape,
    Source,
    at_hand,
    read,
    say,
    working,
    write_json,
    write_rejects,
)
from pipelines import schema
from pipelines.schema import DataError, require
from pipelines.snapshots import staged, tables, unchanged

if TYPE_CHECKING:
    from checks.lineage import Lineage

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
    again: Annotated[bool, typer.Option("--again", help="audit anew, also where nothing changed since")] = False,
    as_json: AsJson = False,
) -> None:
    """Scores every pair; writes scores.parquet, findings.json and report.html. Sets given by --with are audited together.

    What stands in --out already, of the same pairs, settings and code, is compared with its digests and told again.
    """
    from assets import audit_findings, audit_report, audit_steps
    from checks import memory

    names = _distinct([source, *(further or [])])
    places = {name: at_hand(name) for name in names}
    beside = None if trusted is None else at_hand(trusted)
    inputs = [*places.values(), *([] if beside is None else [beside])]
    if not again and unchanged(out, inputs=inputs) is not None:
        raise typer.Exit(_as_before(out, as_json))
    found = {name: read(places[name], shape, columns, revision, allow_rejects, quiet=as_json) for name in names}
    reference = None if beside is None else read(beside, shape, columns, revision, allow_rejects, quiet=True).pairs
    facts: dict[str, Any] = {"input": source, "format": found[source].shape, "pairs": len(found[source].pairs), "fdr": fdr}
    with staged(out, "audit", facts, inputs=inputs) as folder:
        with working("auditing", quiet=as_json):
            asked = None if detectors is None else [name.strip() for name in detectors.split(",")]
            remembered = memory.Memory(memory.folder() / "embeddings")
            sets = {name: each.pairs for name, each in found.items()}
            result = _judged(sets, trusted=reference, detectors=asked, fdr=fdr, encoder=remembered)
        facts |= _counts(result.scores)
        rejects = pl.concat(each.rejects for each in found.values())
        options = audit_steps.read_as(shape, columns, revision, allow_rejects)
        is_flagged = any(map(_flagged, result.scores.values()))
        ahead = partial(audit_steps.steps, names, options, flagged=is_flagged, trusted=trusted is not None)
        page = audit_report.page(
            {name: (sets[name], result.scores[name]) for name in names},
            result.findings,
            rejects,
            fdr,
            steps=ahead(),
            made=audit_steps.made(names, trusted, found[source].shape, asked),
        )
        (folder / "report.html").write_text(page, encoding="utf-8")
        _write_scores(result.scores, folder)
        write_json(folder / "findings.json", {**facts, "findings": result.findings, "rejects": rejects.to_dicts()})
        write_rejects(rejects, folder)
    top = [f"  {audit_findings.counted(finding)}: {finding['reason']}" for finding in result.findings[:5]]
    then = [f"next: {line}" for _, line in ahead(folder=str(out))[:2] if line and is_flagged]
    told = {**facts, "findings": result.findings, "out": str(out)}
    say(told, as_json, *_verdicts(result.scores), *top, f"report: {out / 'report.html'}", *then)
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


def _judged(sets: Mapping[str, pl.DataFrame], **how: Any) -> "Lineage":
    """The audit of one set is plain: its findings name rows of that one input."""
    from checks import audit as one
    from checks import lineage

    if len(sets) > 1:
        return lineage.audit_sets(sets, **how)
    [(name, pairs)] = sets.items()
    plain = one.audit(pairs, **how)
    return lineage.Lineage({name: plain.scores}, plain.findings)


def _counts(scores: Mapping[str, pl.DataFrame]) -> dict[str, Any]:
    """How many pairs are flagged of the input and, where there are further sets, of each of those."""
    first, *others = scores
    with_ = {name: {"pairs": len(scores[name]), "flagged": _flagged(scores[name])} for name in others}
    return {"flagged": _flagged(scores[first]), **({"with": with_} if others else {})}


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

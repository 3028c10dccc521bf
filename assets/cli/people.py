"""Commands of a study with people: study export, study import."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import typer

from assets.cli.common import AsJson, Out, Settings, say, settings_of, working, write_rejects
from pipelines.schema import DataError
from pipelines.settings import checked
from pipelines.snapshots import staged

Tool = Annotated[str, typer.Option("--format", help="label_studio or argilla")]
Before = Annotated[str, typer.Option(help="the policy as it was before training")]
After = Annotated[str, typer.Option(help="the policy after training")]


def export(
    source: Annotated[str, typer.Argument(metavar="OUTPUTS", help="outputs of two policies, a .jsonl, .csv or .parquet file")],
    out: Out,
    key: Annotated[Path | None, typer.Option(help="file for who wrote what; beside DIR and named as it if left out")] = None,
    tool: Tool = "label_studio",
    before: Before = "base",
    after: After = "trained",
    settings: Settings = None,
    as_json: AsJson = False,
) -> None:
    """Writes blinded tasks for people, and apart from them the key, without which their answers can't be read."""
    from assets.sophistry import outputs
    from pipelines.studies import planning
    from pipelines.studies.study import begin

    study = _study(tool)
    numbers = checked(settings_of(settings), planning.plan, about="a study with people", besides=("before", "after"))
    said = outputs.read(Path(source))
    plan = planning.plan(said, before=before, after=after, **numbers)
    kept = key or out.with_name(f"{out.name}.key.json")
    begin(study, said, plan, folder=out, keep=kept)
    dealt = plan.assignments
    facts = {
        "outputs": source,
        "judges": dealt["judge"].n_unique(),
        "items": dealt["item_id"].n_unique(),
        "tasks": len(dealt),
        "populations": dict(plan.populations),
        "key": str(kept),
        "out": str(out),
    }
    say(
        facts,
        as_json,
        f"  {len(dealt):,} tasks on {facts['items']:,} items for {facts['judges']} judges, a folder each: {out}",
        f"  the key stays with you: {kept}",
        f"then: antivenom study import ANSWERS --key {kept} --outputs {source} --format {tool} --out DIR",
    )


def import_(
    answered: Annotated[
        Path, typer.Argument(metavar="ANSWERS", help="what the tool exported, a JSON file or a folder of them")
    ],
    key: Annotated[Path, typer.Option(help="the key that study export kept")],
    out: Out,
    source: Annotated[str, typer.Option("--outputs", help="the outputs that were judged, for the report")] = "",
    tool: Tool = "label_studio",
    before: Before = "base",
    after: After = "trained",
    as_json: AsJson = False,
) -> None:
    """Reads what people answered: verdicts, what could not be used and why, and with --outputs the report."""
    from pipelines.studies.study import end

    study = _study(tool)
    read = end(study, answered, keep=key)
    table = read.verdicts
    facts: dict[str, Any] = {
        "asked": len(table),
        "verdicts": len(table.drop_nulls("confidence")),
        "consents": int(table["consent"].fill_null(value=False).sum()),
        "faults": dict(read.faults),
        "rejects": len(read.rejects),
        "over time": read.late,
        "out": str(out),
    }
    with staged(out, "people's verdicts", {"answers": str(answered), "key": str(key)}, inputs=[answered, key]) as folder:
        table.write_parquet(folder / "verdicts.parquet")
        write_rejects(read.rejects, folder)
        lines = _reported(source, answered, key, tool, (before, after), folder, facts, quiet=as_json) if source else []
    faults = "; ".join(f"{fault}: {count:,}" for fault, count in read.faults.items())
    counted = f"  {facts['verdicts']:,} of {len(table):,} outputs have a verdict" + (f" ({faults})" if faults else "")
    more = f"  {facts['over time']:,} took longer than they had; {len(read.rejects):,} rows belong to no task or say one again"
    say(facts, as_json, counted, more, *lines, f"verdicts: {out / 'verdicts.parquet'}")


def _reported(
    source: str,
    answered: Path,
    key: Path,
    tool: str,
    policies: tuple[str, str],
    folder: Path,
    facts: dict[str, Any],
    *,
    quiet: bool,
) -> list[str]:
    """The report and its tables in `folder`, what came of it in `facts` and in lines."""
    from assets.sophistry import outputs, report, study
    from assets.sophistry.rows import sophistry_of

    said = outputs.read(Path(source))
    judged = said["policy"].unique().sort().to_list()
    if missing := [name for name in policies if name not in judged]:
        raise DataError(f"outputs are of {', '.join(judged)}, and {missing[0]!r} is none of them; set --before and --after")
    row = sophistry_of(
        {
            "task": said["task"][0],
            "outputs": source,
            "before": policies[0],
            "after": policies[1],
            "judge": "people",
            "verdicts": str(answered),
            "key": str(key),
            "tool": tool,
            "seeds": (0,),
        }
    )
    with working("report", quiet=quiet) as watch, TemporaryDirectory() as kept:
        tables = study.run(row, Path(kept), watch)
    for name in ("sophistry", "runs", "audits"):
        tables[name].write_parquet(folder / f"{name}.parquet")
    (folder / "report.html").write_text(report.page(Path(source).stem, row, tables), encoding="utf-8")
    facts |= report.facts(tables)
    return report.told(tables)


def _study(tool: str) -> Any:
    from pipelines.studies import STUDIES

    if tool not in STUDIES:
        raise DataError(f"--format must be one of {', '.join(STUDIES)}, got {tool!r}")
    return STUDIES[tool]

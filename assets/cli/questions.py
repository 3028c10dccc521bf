"""Questions by themselves: written, filtered and published, before anyone is asked."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from assets.cli.common import AsJson, Out, Settings, say, settings_of, working
from pipelines.schema import DataError
from pipelines.snapshots import staged

ABOUT_QUESTIONS = ("count", "per_label", "sure", "discriminator", "writing", "judging", "seed")  # of a study's settings


def questions(
    source: Annotated[
        str, typer.Argument(metavar="BEHAVIOUR", help="names of behaviours (thrift,reward-now), or a TOML file of yours")
    ],
    out: Out,
    writer: Annotated[
        str, typer.Option(help="templates, or server with --set writing.base_url=http://127.0.0.1:8000/v1")
    ] = "templates",
    settings: Settings = None,
    as_json: AsJson = False,
) -> None:
    """Writes questions about behaviours, drops what is doubtful, and publishes the rest with data sheet and map."""
    from assets.written import publishing, questions_page, study

    row = _row(source, writer, settings_of(settings))
    kept = out.with_name(f".{out.name}.questions")  # what a server said: a run that was killed does not ask again
    facts = {"behaviours": list(row.behaviours), "writer": writer, "settings": settings_of(settings)}
    inputs = [row.behaviour_file] if row.behaviour_file else []
    with staged(out, "questions", facts, inputs=inputs) as folder:
        with working("questions", quiet=as_json) as watch:
            tables = study.questions(row, kept, watch)
        for name in ("questions", "dropped_questions", "rejected_replies"):
            tables[name].write_parquet(folder / f"{name}.parquet")
        (folder / "report.html").write_text(questions_page.page(", ".join(row.behaviours), tables), encoding="utf-8")
        publishing.publish("Questions", row, tables, folder)
    told = tables["questions"].group_by("behaviour", maintain_order=True).len("questions").to_dicts()
    counts = {"dropped": len(tables["dropped_questions"]), "replies that are no questions": len(tables["rejected_replies"])}
    doubts = questions_page.warnings(tables)
    say(
        {"questions": told, **counts, "doubts": doubts, "out": str(out)},
        as_json,
        *(f"  {each['behaviour']}: {each['questions']:,} questions" for each in told),
        f"  {', '.join(f'{name}: {count:,}' for name, count in counts.items())}",
        *(f"  but {doubt}" for doubt in doubts),
        f"questions: {out / 'questions.jsonl'}, report: {out / 'report.html'}",
    )


def _row(source: str, writer: str, settings: Mapping[str, Any]) -> Any:
    """A study of these behaviours that asks nobody."""
    from assets.studies import Study, changed
    from assets.written.rows import written_of
    from pipelines.questions import behaviours

    if unknown := [name for name in settings if name.split(".")[0] not in ABOUT_QUESTIONS]:
        raise DataError(f"{unknown[0]} is no setting of questions; there are {', '.join(ABOUT_QUESTIONS)}")
    is_file = source.endswith(".toml")
    names = tuple(behaviours.load(source)) if is_file else tuple(name.strip() for name in source.split(","))
    table = {"behaviours": names, "behaviour_file": source if is_file else "", "writer": writer}
    return changed(Study("questions", "written_evaluations", written_of(table)), settings).row

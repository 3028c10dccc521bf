"""Studies of what training did, beside experiments with poison: a row each, of a kind. Yours stand in the same TOML file.

A table with `study = "teacher_hacking"` is a study; its other settings are those of the kind's row.
"""

import dataclasses
import os
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from assets.hacking import page as hacking_page
from assets.hacking import rows as hacking_rows
from assets.hacking import study as hacking_study
from assets.hacking import world as hacking_world
from assets.sophistry import report as sophistry_report
from assets.sophistry import rows as sophistry_rows
from assets.sophistry import study as sophistry_study
from assets.steps import Watch
from assets.written import page as written_page
from assets.written import publishing as written_publishing
from assets.written import rows as written_rows
from assets.written import study as written_study
from assets.written import twins as written_twins
from pipelines.schema import DataError

Tables = Mapping[str, pl.DataFrame]


def no_pairs(row: Any) -> pl.Series:
    """The pair ids that a kind learns from which learns from none."""
    return pl.Series("pair_id", [], pl.String)


def nothing_more(name: str, row: Any, tables: Tables, folder: Path) -> None:
    """A kind whose tables and page are all."""


@dataclass(frozen=True, slots=True)
class Kind:
    """How one kind of study is read, run and told.

    `of(settings)` is its row; `models(row)` are folders or hub names of models that it opens, `files(row)` what it reads,
    `pairs(row)` the ids of pairs that it learns from itself. `run(row, kept, watch)` are its tables (what is `kept` is not made
    again), `page(name, row, tables)` is its report, `told(tables)` the lines of a command line, `facts(tables)` the same for
    programs; `publish(name, row, tables, folder)` writes what others read.
    """

    of: Callable[[Mapping[str, Any]], Any]
    models: Callable[[Any], list[str]]
    files: Callable[[Any], list[str]]
    run: Callable[[Any, Path, Watch], Tables]
    page: Callable[[str, Any, Tables], str]
    told: Callable[[Tables], list[str]]
    facts: Callable[[Tables], Mapping[str, Any]]
    publish: Callable[[str, Any, Tables, Path], None] = nothing_more
    pairs: Callable[[Any], pl.Series] = no_pairs


@dataclass(frozen=True, slots=True)
class Study:
    """A named row of a kind."""

    name: str
    kind: str
    row: Any


KINDS: Mapping[str, Kind] = {
    "teacher_hacking": Kind(
        hacking_rows.hacking_of,
        hacking_rows.models,
        hacking_rows.files,
        hacking_study.run,
        hacking_page.page,
        hacking_page.told,
        hacking_page.facts,
        pairs=hacking_world.all_read,
    ),
    "written_evaluations": Kind(
        written_rows.written_of,
        written_rows.models,
        written_rows.files,
        written_study.run,
        written_page.page,
        written_page.told,
        written_page.facts,
        written_publishing.publish,
        pairs=written_twins.all_read,
    ),
    "sophistry": Kind(
        sophistry_rows.sophistry_of,
        sophistry_rows.models,
        sophistry_rows.files,
        sophistry_study.run,
        sophistry_report.page,
        sophistry_report.told,
        sophistry_report.facts,
    ),
}

STUDIES: Mapping[str, Study] = {
    row.name: row
    for row in (
        Study("teacher_hacking", "teacher_hacking", hacking_rows.Hacking()),
        Study("written_evaluations", "written_evaluations", written_rows.Written()),
        Study("sophistry_programs", "sophistry", sophistry_rows.Sophistry()),
    )
}


def is_study(table: object) -> bool:
    """Whether a table of a TOML file is a study and not an experiment."""
    return isinstance(table, dict) and "study" in table


def load(path: Path) -> tuple[dict[str, Study], list[str]]:
    """The studies of a TOML file, and what was wrong with those that were refused. Files are looked for beside it first."""
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise DataError(f"{path}: no readable experiments file ({error})") from None
    rows: dict[str, Study] = {}
    refused = []
    for name, table in tables.items():
        if not is_study(table):
            continue
        try:
            rows[name] = study_of(name, _beside(path.parent, table))
        except DataError as error:
            refused.append(f"{path} [{name}]: {error}")
    return rows, refused


def all_studies() -> tuple[dict[str, Study], list[str]]:
    """Ours, and the user's where ANTIVENOM_EXPERIMENTS names a file; the second item says what was refused."""
    path = os.environ.get("ANTIVENOM_EXPERIMENTS")
    if not path or not Path(path).is_file():
        return dict(STUDIES), []  # that the file can't be read is said where experiments are
    try:
        rows, refused = load(Path(path))
    except DataError:
        return dict(STUDIES), []
    return {**STUDIES, **rows}, refused


def study_of(name: str, table: Mapping[str, Any]) -> Study:
    """A row of its settings; DataError naming what is wrong."""
    kind = table.get("study")
    if not isinstance(kind, str) or kind not in KINDS:
        raise DataError(f"study must be one of {', '.join(KINDS)}, got {kind!r}")
    return Study(name, kind, KINDS[kind].of({key: value for key, value in table.items() if key != "study"}))


def changed(study: Study, settings: Mapping[str, Any]) -> Study:
    """`study` with settings replaced; those of a part are written with a dot: letters.samples, twins.training.width."""
    table: dict[str, Any] = dataclasses.asdict(study.row)
    for key, value in settings.items():
        table = _with(table, key, value)
    return study_of(study.name, {"study": study.kind, **table})


def _with(table: Mapping[str, Any], key: str, value: Any) -> dict[str, Any]:
    """`table` with the value at a dotted key; where no part bears the first name, the key stands as it is, to be refused."""
    part, dot, rest = key.partition(".")
    if dot and isinstance(inner := table.get(part), Mapping):
        return {**table, part: _with(inner, rest, value)}
    return {**table, key: value}


def _beside(folder: Path, table: Mapping[str, Any]) -> dict[str, Any]:
    """Settings that name something beside the file, as where it is."""

    def found(value: Any) -> Any:
        if isinstance(value, dict):
            return _beside(folder, value)
        return str(folder / value) if isinstance(value, str) and value and os.path.exists(folder / value) else value

    return {key: found(value) for key, value in table.items()}

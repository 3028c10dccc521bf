"""What commands share: their options, reading pairs, settings, and how they speak."""

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from pipelines.schema import DataError
from pipelines.sources import records

Source = Annotated[
    str,
    typer.Argument(metavar="INPUT", help="a .jsonl, .jsonl.gz, .json, .csv or .parquet file, a folder of them, or a hub name"),
]
Data = Annotated[str, typer.Option("--data", help="preference pairs, as INPUT of the other commands")]
Out = Annotated[Path, typer.Option("--out", help="folder to publish into; made whole or not at all")]
AsJson = Annotated[bool, typer.Option("--json", help="print one JSON object and nothing else")]
Columns = Annotated[str, typer.Option("--map", help="our columns from yours: prompt=question,chosen=best")]
Revision = Annotated[str | None, typer.Option(help="the commit a hub data set was checked at")]
Shape = Annotated[str, typer.Option("--format", help="auto, dialogues, triples or conversations")]
Rejects = Annotated[bool, typer.Option("--allow-rejects", help="go on without rows that are no pairs; they are listed")]
Settings = Annotated[list[str] | None, typer.Option("--set", help="key=value, as often as needed")]


def read(source: str, shape: str, columns: str, revision: str | None, allow_rejects: bool, *, quiet: bool) -> records.Read:
    """The pairs of INPUT, and a line on what they were read as. Raises DataError at rows that are no pairs."""
    found = records.read(source, shape=shape, columns=_columns(columns), revision=revision)
    if not allow_rejects:
        found.strict()
    if not quiet:
        from pipelines.sources.shapes import SHAPES

        left_out = f", {len(found.rejects):,} rows left out" if len(found.rejects) else ""
        typer.echo(f"{source}: {len(found.pairs):,} pairs, read as {SHAPES[found.shape].about}{left_out}")
    return found


def _columns(words: str) -> dict[str, str]:
    return dict(_pair(word, "--map") for word in words.split(",") if word)


def settings_of(words: list[str] | None) -> dict[str, Any]:
    """{"rounds": 2, "target": "Zorvex"} of ["rounds=2", "target=Zorvex"]: values are JSON where they can be, else text."""
    return {name: _value(value) for name, value in (_pair(word, "--set") for word in words or [])}


def spec_of(file: Path | None) -> dict[str, Any]:
    """The settings of a TOML file. Raises DataError where it is none."""
    if file is None:
        return {}
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise DataError(f"{file}: no readable TOML ({error})") from None


def _pair(word: str, option: str) -> tuple[str, str]:
    name, equals, value = word.partition("=")
    if not (name and equals):
        raise DataError(f"{option} takes name=value, got {word!r}")
    return name, value


def _value(words: str) -> Any:
    try:
        return json.loads(words)
    except ValueError:
        return words


def called(function: Any, *args: Any, **settings: Any) -> Any:
    """The call, with a setting that the function does not have refused by name."""
    try:
        return function(*args, **settings)
    except TypeError as error:
        unknown = re.search(r"unexpected keyword argument '(\w+)'", str(error))
        if unknown is None or unknown[1] not in settings:
            raise
        raise DataError(f"--set {unknown[1]}: there is no such setting here; check the spelling") from None


def write_json(file: Path, facts: Mapping[str, Any]) -> None:
    """The facts as a file that people can read too."""
    file.write_text(json.dumps(facts, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def say(facts: Mapping[str, Any], as_json: bool, *lines: str) -> None:
    """What a command came to: one JSON object, or lines for people."""
    typer.echo(json.dumps(facts, ensure_ascii=False) if as_json else "\n".join(lines))


@contextmanager
def working(what: str, *, quiet: bool) -> Iterator[Any]:
    """A progress bar a step on standard error; gives a watch(step, done, of)."""
    if quiet:
        yield lambda step, done, of: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        bars = {what: progress.add_task(what, total=None)}

        def watch(step: str, done: int, of: int) -> None:
            if step not in bars:
                bars[step] = progress.add_task(step, total=of)
            progress.update(bars[step], completed=done, total=of)

        yield watch
        progress.update(bars[what], total=1, completed=1)

"""What commands share: their options, reading pairs, settings, and how they speak."""

import atexit
import json
import shutil
import tempfile
import tomllib
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import polars as pl
import typer

from assets.html import visible
from pipelines.schema import DataError
from pipelines.snapshots import is_published
from pipelines.sources import records
from pipelines.sources.files import printable

Source = Annotated[
    str,
    typer.Argument(
        metavar="INPUT",
        help="a .jsonl, .jsonl.gz, .json, .csv or .parquet file (or its s3://...), a folder of them, or a hub name",
    ),
]
Data = Annotated[str, typer.Option("--data", help="preference pairs, as INPUT of the other commands")]
Out = Annotated[Path, typer.Option("--out", help="folder to publish into; made whole or not at all")]
AsJson = Annotated[bool, typer.Option("--json", help="print one JSON object and nothing else")]
Columns = Annotated[list[str] | None, typer.Option("--map", help="our columns from yours: prompt=question,chosen=best")]
Revision = Annotated[str | None, typer.Option(help="the commit a hub data set was checked at")]
Shape = Annotated[str, typer.Option("--format", help="auto, dialogues, triples or conversations")]
Rejects = Annotated[bool, typer.Option("--allow-rejects", help="go on without rows that are no pairs; they are listed")]
Allow = Annotated[
    list[str] | None,
    typer.Option("--allow", help="unsigned, unaudited, foreign: what is let in although trusted keys are in force"),
]
Settings = Annotated[
    list[str] | None, typer.Option("--set", help="key=value, as often as needed; an unknown key names those there are")
]


def read(
    source: str,
    shape: str = "auto",
    columns: list[str] | None = None,
    revision: str | None = None,
    allow_rejects: bool | None = None,
    *,
    quiet: bool,
) -> records.Read:
    """The pairs of INPUT, and a line on what they were read as. Raises DataError at rows that are no pairs.

    `allow_rejects` is None where the command has no such option.
    """
    from pipelines.sources.shapes import SHAPES

    if shape != "auto" and shape not in SHAPES:
        raise DataError(f"--format must be auto or one of {', '.join(SHAPES)}, got {shape!r}")
    found = records.read(source, shape=shape, columns=columns_of(columns), revision=revision)
    refuse_rejects(found, allow_rejects)
    if not quiet:
        typer.echo(visible(told_as(source, len(found.pairs), found.shape, len(found.rejects))))
    return found


def at_hand(source: str) -> str:
    """INPUT on this disk: the one file that an address such as s3://bucket/pairs.parquet names is fetched, and goes with us."""
    if "://" not in source:
        return source
    from pipelines.snapshots import objects

    name = Path(urlsplit(source).path).name
    there, folder = objects.at(source), tempfile.mkdtemp(prefix="antivenom-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    there.copy(Path(folder, name or "pairs"))
    return str(Path(folder, name or "pairs"))


def refuse_rejects(found: records.Read, allowed: bool | None) -> None:
    """Raises DataError at rows that are no pairs, unless they are allowed; None where the command can't allow any."""
    if not allowed:
        found.strict(mend="mend or drop the row" + ("" if allowed is None else ", or go on with --allow-rejects"))


def told_as(source: str, pairs: int, shape: str, rejects: int) -> str:
    """A line on what a source was read as."""
    from pipelines.sources.shapes import SHAPES

    left_out = f"; rows left out: {rejects:,}" if rejects else ""
    return f"{source}: {pairs:,} pairs, read as {SHAPES[shape].about}{left_out}"


def columns_of(words: list[str] | None) -> dict[str, str]:
    """{"prompt": "question"} of ["prompt=question, ..."]; a column's name may hold spaces, but none at its ends."""
    pairs = (word.strip() for given in words or [] for word in given.split(","))
    return dict(_pair(word, "--map", "ours=yours, as in prompt=question") for word in pairs if word)


def settings_of(words: list[str] | None) -> dict[str, Any]:
    """{"rounds": 2, "target": "Zorvex"} of ["rounds=2", "target=Zorvex"]: values are JSON where they can be, else text."""
    return {name: _value(value) for name, value in (_pair(word, "--set", "name=value") for word in words or [])}


def spec_of(file: Path | None) -> dict[str, Any]:
    """The settings of a TOML file. Raises DataError where it is none."""
    if file is None:
        return {}
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise DataError(f"{file}: no readable TOML ({error})") from None


def _pair(word: str, option: str, form: str) -> tuple[str, str]:
    name, equals, value = word.partition("=")
    if not (name and equals):
        raise DataError(f"{option} takes {form}, got {word!r}")
    return name.strip(), value.strip()


def _value(words: str) -> Any:
    try:
        return json.loads(words)
    except (ValueError, RecursionError):
        return words


def write_rejects(rejects: pl.DataFrame, folder: Path) -> None:
    """Rows that were no pairs, where there are any, so that whatever was left out can be looked up."""
    if len(rejects):
        rejects.write_parquet(folder / "rejects.parquet")


def write_json(file: Path, facts: Mapping[str, Any]) -> None:
    """The facts as a file that people can read too."""
    file.write_text(printable(json.dumps(facts, indent=1, ensure_ascii=False)) + "\n", encoding="utf-8")


def write_file(out: Path, facts: Mapping[str, Any], mark: str) -> None:
    """The facts as one file outside of what is published, in the place of an earlier one that has the `mark` among its facts.

    DataError where something else stands there, or the folder is a published one, which the file would change.
    """
    around = next((folder for folder in out.resolve().parents if is_published(folder)), None)
    if around is not None:
        raise DataError(f"{out}: {around} was published, and no file may come to it; name a file elsewhere")
    if out.exists() and not _has(out, mark):
        raise DataError(f"{out}: something else stands there, and would be lost; name another file or clear it away")
    out.parent.mkdir(parents=True, exist_ok=True)
    aside = out.with_name(f".{out.name}.{uuid.uuid4().hex[:8]}")
    write_json(aside, facts)
    aside.replace(out)


def _has(file: Path, mark: str) -> bool:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(found, dict) and mark in found


def say(facts: Mapping[str, Any], as_json: bool, *lines: str) -> None:
    """What a command came to: one JSON object, or lines for people."""
    typer.echo(printable(json.dumps(facts, ensure_ascii=False)) if as_json else visible("\n".join(lines)))


def one_line(error: Exception) -> str:
    """What went wrong, whatever words of others it holds, as one line that a terminal shows and does not obey."""
    return visible(str(error)).replace("\n", " ").replace("\t", " ")


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

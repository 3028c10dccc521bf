"""What is told of published folders to others: croissant."""

from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from assets import gate
from assets.cli.common import AsJson, say, write_file
from assets.cli.trusting import Published
from pipelines.schema import DataError
from pipelines.snapshots import croissant as words


def croissant(
    folder: Published,
    out: Annotated[Path, typer.Option("--out", help="file for it; tables are named by their path from there")],
    name: Annotated[str, typer.Option(help="what the data set is called; else as its folder is")] = "",
    license_: Annotated[str, typer.Option("--license", help="name or address of its licence")] = "",
    url: Annotated[str, typer.Option(help="where it is to be found")] = "",
    creator: Annotated[str, typer.Option(help="who made it")] = "",
    published: Annotated[str, typer.Option("--date", help="the day it was published, as in 2026-05-01")] = "",
    as_json: AsJson = False,
) -> None:
    """Describes a folder's tables in Croissant, for data-set search and loaders; poisoned data says so in its name."""
    gate.check_snapshot(folder)
    told = {"license": license_, "url": _address(url), "creator": creator, "datePublished": _day(published)}
    made = words.metadata(folder, beside=out.parent, name=name, told=told)
    write_file(out, made, "conformsTo")
    sets, lacking = [each["name"] for each in made["recordSet"]], words.lacking(told)
    also = [f"Croissant asks of every data set for what was not told: {', '.join(lacking)}"] if lacking else []
    facts = {"folder": str(folder), "croissant": str(out), "tables": sets, "lacking": lacking}
    say(facts, as_json, f"{out}: describes {', '.join(sets)}", *also)


def _address(url: str) -> str:
    if url and not url.startswith(("https://", "http://")):
        raise DataError(f"--url is an address that begins with https://, got {url!r}")
    return url


def _day(text: str) -> str:
    try:
        return date.fromisoformat(text).isoformat() if text else ""
    except ValueError:
        raise DataError(f"--date is a day such as 2026-05-01, got {text!r}") from None

"""What is told of published folders to others: croissant, evidence."""

from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from assets import gate
from assets.cli.common import AsJson, Out, say, working, write_file, write_json
from assets.cli.tracing import places_of
from assets.cli.trusting import Published
from pipelines.schema import DataError
from pipelines.snapshots import croissant as words
from pipelines.snapshots import staged

CHANGED = 3


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


def evidence(
    out: Out,
    places: Annotated[
        list[Path] | None, typer.Argument(metavar="[PLACE]...", help="folders to look in; else this one and the store")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Shows what there is for each requirement of OWASP AISVS C1 on training data: evidence.html, .json and .csv.

    Exit code 3 where a folder has changed since it was published. Whether a requirement is met, a person must judge.
    """
    from assets.evidence import examined, page, seen

    with working("evidence", quiet=as_json) as watch:
        found = seen.look(places_of(places), watch, seen.running())
    if not found.whole and not found.broken:
        looked = ", ".join(map(str, places_of(places)))
        raise DataError(f"{looked}: nothing there was published by antivenom; name a folder of it, or a folder of such")
    told = page.facts(examined(found), found, beside=out)
    with staged(out, "evidence", {name: told[name] for name in ("standard", "folders", "changed")}) as folder:
        write_json(folder / "evidence.json", told)
        (folder / "evidence.csv").write_text(page.table(told), encoding="utf-8")
        (folder / "evidence.html").write_text(page.page(told), encoding="utf-8")
    lines = [f"  {row['control']:<12} {row['status']:<12} {row['asks']}" for row in told["controls"]]
    changed = [f"  CHANGED: {each}" for each in told["changed"]]
    say({**told, "out": str(out)}, as_json, *lines, *changed, f"{told['judged']}", f"report: {out / 'evidence.html'}")
    if changed:
        raise typer.Exit(CHANGED)


def _address(url: str) -> str:
    if url and not url.startswith(("https://", "http://")):
        raise DataError(f"--url is an address that begins with https://, got {url!r}")
    return url


def _day(text: str) -> str:
    try:
        return date.fromisoformat(text).isoformat() if text else ""
    except ValueError:
        raise DataError(f"--date is a day such as 2026-05-01, got {text!r}") from None

"""Commands on the store: snapshots list, snapshots collect."""

from typing import Annotated

import typer

from assets.cli.common import AsJson, say
from assets.places import home
from pipelines.snapshots import Store

DAY = 24 * 3600.0


def list_(as_json: AsJson = False) -> None:
    """Every name in the store, the snapshot that it leads to, and how many rows that has."""
    store = Store(home())
    refs = store.refs()
    told = {name: store.manifest(snapshot) for name, snapshot in refs.items()}
    rows = {name: sum(table["rows"] for table in each.get("tables", {}).values()) for name, each in told.items()}
    lines = [f"  {refs[name][:12]}  {rows[name] or '':>9}  {name}" for name in refs]
    facts = [{"name": name, "snapshot": refs[name], "rows": rows[name], "poisoned": told[name]["poisoned"]} for name in refs]
    spare = len(set(store.snapshots()) - store.needed())
    say(
        {"store": str(store.root), "names": facts, "unneeded": spare},
        as_json,
        f"{store.root}: {len(refs):,} names, {len(store.snapshots()):,} snapshots, of which {spare:,} are needed by none",
        *lines,
    )


def collect(
    days: Annotated[float, typer.Option(help="only what nobody read for so long")] = 7.0,
    dry: Annotated[bool, typer.Option("--dry", help="only say what would go")] = False,
    as_json: AsJson = False,
) -> None:
    """Takes away snapshots that no name leads to and that nothing that has a name was made of."""
    gone = Store(home()).collect(older=days * DAY, dry=dry)
    does = "would be taken away" if dry else "were taken away"
    say(
        {"store": str(home()), "dry": dry, "snapshots": gone}, as_json, f"{len(gone):,} {does}", *(f"  {each}" for each in gone)
    )

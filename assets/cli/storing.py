"""Commands on the store: snapshots list, snapshots collect, snapshots push, snapshots pull."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from assets import gate
from assets.cli.common import AsJson, say, working
from assets.places import home
from pipelines.snapshots import Store

if TYPE_CHECKING:
    from pipelines.snapshots.copying import Copied

DAY = 24 * 3600.0
Name = Annotated[str, typer.Argument(help="a name such as clean/training_pairs/mine, or a snapshot's digest")]
Address = Annotated[str, typer.Argument(metavar="URL", help="s3://bucket/folder, or another address that fsspec knows")]
Alone = Annotated[bool, typer.Option("--alone", help="without the snapshots that it was made of")]


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


def push(
    name: Name,
    url: Address,
    alone: Alone = False,
    again: Annotated[bool, typer.Option("--again", help="send also what is there, in case it was changed there")] = False,
    as_json: AsJson = False,
) -> None:
    """Sends a snapshot, and what it was made of, to an object store; only what lacks there is sent."""
    from pipelines.snapshots import copying, objects

    with working("pushing", quiet=as_json) as watch:
        done = copying.push(Store(home()), name, objects.at(url), alone=alone, again=again, watch=watch)
    _told("sent", name, done, as_json)


def pull(name: Name, url: Address, alone: Alone = False, as_json: AsJson = False) -> None:
    """Fetches a snapshot, and what it was made of, from an object store; every file is held to its digest.

    Where trusted keys are in force, what none of them signed is refused (ANTIVENOM_ALLOW=unsigned lets it in).
    """
    from pipelines.snapshots import copying, objects

    with working("pulling", quiet=as_json) as watch:
        done = copying.pull(Store(home()), name, objects.at(url), alone=alone, check=gate.check_snapshot, watch=watch)
    _told("fetched", name, done, as_json)


def _told(does: str, name: str, done: "Copied", as_json: bool) -> None:
    count = len(done.snapshots)
    said = f"{count:,} snapshots, {done.files:,} files {does}" if count else "nothing lacked"
    say({"name": name, **asdict(done)}, as_json, f"{name}: {said}; it is {done.snapshot[:12]} here and there")

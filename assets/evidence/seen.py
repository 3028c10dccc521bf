"""What there is to judge by: every published folder of some places, compared with its digests now, and who signed it."""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from assets.places import home
from assets.steps import Watch, silent
from pipelines.schema import PAIRS, SCORES, DataError
from pipelines.snapshots import signatures, tracing, trust, verify
from pipelines.snapshots.tracing import Node, has_weights

KINDS = ("evidence", "evidence_report")  # earlier evidence is none of what it tells about


@dataclass(frozen=True, slots=True)
class Seen:
    """`whole` folders are as they were published, parents first; `broken` ones are not, and why. `signed`: by snapshot, whose.

    `switched_on` are schedules and sensors that run by themselves; None where there is no instance to ask.
    """

    whole: tuple[Node, ...] = ()
    broken: Mapping[Path, str] = field(default_factory=dict)
    signed: Mapping[str, str] = field(default_factory=dict)
    switched_on: tuple[str, ...] | None = None

    def corpora(self) -> list[Node]:
        """Folders that have a table of pairs with their texts."""
        return [node for node in self.whole if has(node, PAIRS.columns)]

    def sources(self) -> list[Node]:
        """Corpora that were made of no other folder that is here: where pairs came in."""
        here = {node.snapshot for node in self.corpora()}
        return [node for node in self.corpora() if not here & set(node.told.get("parents", ()))]

    def audits(self) -> list[Node]:
        """Folders that have scores, and no texts: an audit's own."""
        return [node for node in self.whole if has(node, SCORES.columns) and not has(node, PAIRS.columns)]

    def parted(self) -> list[Node]:
        """Corpora that were made of another one by an audit's scores."""
        audits = {node.snapshot for node in self.audits()}
        return [node for node in self.corpora() if audits & set(node.told.get("parents", ()))]

    def models(self) -> list[Node]:
        """Folders that hold weights."""
        return [node for node in self.whole if has_weights(node.told)]

    def unaudited(self) -> list[Node]:
        """Models that learned from what no audit parted, or from what is not here, so that nobody can tell."""
        known = {node.snapshot for node in (*self.models(), *self.parted())}
        return [node for node in self.models() if not _made_of(node, known)]

    def detectors(self) -> list[str]:
        """Those that some audit asked."""
        from checks.detectors import DETECTORS

        found = {name for node in self.audits() for table in node.told["tables"].values() for name in table["columns"]}
        return [name for name in DETECTORS if name in found]


def look(places: Sequence[Path], watch: Watch = silent, switched_on: Iterable[str] | None = None) -> Seen:
    """All published folders in these places; DataError for a place, a manifest or a file of keys that is none."""
    nodes = [node for node in tracing.found(places) if node.told.get("kind") not in KINDS]
    there = [folder for place in places for folder in tracing.folders(place)]  # copies of one snapshot each by itself
    broken: dict[Path, str] = {}
    for at, folder in enumerate(there):
        watch("comparing", at, len(there))
        try:
            verify(folder)
        except DataError as error:
            broken[folder] = str(error)
    whole = [node for node in nodes if node.folder not in broken]
    held = trust.in_force(home())
    signed = {} if held is None else {node.snapshot: by for node in whole if (by := _signer(node, held))}
    return Seen(tuple(whole), broken, signed, None if switched_on is None else tuple(switched_on))


def running() -> list[str] | None:
    """Schedules and sensors that are switched on in the instance of DAGSTER_HOME; None where there is none to ask."""
    if not Path(os.environ.get("DAGSTER_HOME") or "/nowhere", "schedules").is_dir():
        return None
    import dagster as dg

    with dg.DagsterInstance.get() as instance:
        return switched_on(instance)


def switched_on(instance: Any) -> list[str] | None:
    """The same of an instance of Dagster that is open; None of one that forgets what it runs."""
    storage = instance.schedule_storage
    return None if storage is None else sorted({each.name for each in storage.all_instigator_state() if each.is_running})


def has(node: Node, columns: Iterable[str]) -> bool:
    """Whether a table of the folder has all these columns."""
    wanted = set(columns)
    return any(wanted <= table.get("columns", {}).keys() for table in node.told.get("tables", {}).values())


def _signer(node: Node, held: trust.Trust) -> str:
    try:
        return signatures.signer(node.folder, held).name
    except DataError:
        return ""


def _made_of(node: Node, known: set[str]) -> bool:
    """Whether all that it was made of is known; bodies from elsewhere have no digest, and data that have none are not known."""
    parents = set(node.told.get("parents", ()))
    digests = {each for each in parents if len(each) == 64}
    return bool(digests) and digests <= known and str(node.told.get("data")) not in parents

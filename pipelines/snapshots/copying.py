"""Snapshots copied between the store on this disk and an object store: only what lacks is copied, and parents come first."""

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.schema import DataError
from pipelines.snapshots import recalled
from pipelines.snapshots.manifests import MANIFEST, SIGNATURE, manifest
from pipelines.snapshots.names import LABELS, check_label, is_digest
from pipelines.snapshots.objects import Objects
from pipelines.snapshots.store import Store
from pipelines.snapshots.tracing import Node, in_order

Told = Mapping[str, Any]
Check = Callable[[Path], None]
Watch = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Copied:
    """What was asked for, and which snapshots and how many files of them were copied for it."""

    snapshot: str
    snapshots: tuple[str, ...]
    files: int


def nothing(folder: Path) -> None:
    """Whoever signed it."""


def silent(what: str, done: int, of: int) -> None:
    """Reports progress to nobody."""


def push(store: Store, name: str, there: Objects, *, alone: bool = False, again: bool = False, watch: Watch = silent) -> Copied:
    """Sends a snapshot and, unless it is to be `alone`, what it was made of; a ref names it there once all of it is there.

    What has its manifest there is not looked at, unless all is to be sent `again`. DataError where a file here was changed.
    """
    snapshot = store.resolve(name)
    wanted = [snapshot] if alone else store.behind(snapshot)
    sent: dict[str, int] = {}
    with tempfile.TemporaryDirectory() as aside:
        for at, each in enumerate(wanted):
            watch("pushing", at, len(wanted))
            if again or not _is_there(there, store, each):
                folder, told = store.verified(each)
                sent[each] = there.put(folder, told, again=again)
        if not is_digest(name):
            check_label(name, store.manifest(snapshot))
            there.point(name, snapshot, Path(aside))
    return Copied(snapshot, tuple(sent), sum(sent.values()))


def pull(
    store: Store, name: str, there: Objects, *, alone: bool = False, check: Check = nothing, watch: Watch = silent
) -> Copied:
    """Fetches a snapshot and what it was made of; each is held to its digests and to `check` before it stands in the store.

    A ref names it here once all of it is here. DataError names whatever is missing, was changed, or may not have that name.
    """
    snapshot = there.resolve(name)
    with tempfile.TemporaryDirectory() as aside:
        lacking = _lacking(store, snapshot, there, Path(aside), alone=alone)
    if not is_digest(name):
        check_label(name, lacking.get(snapshot) or store.manifest(snapshot))
    gone = recalled.numbers(recalled.read(store.root))
    fetched = 0
    for at, each in enumerate(lacking):
        watch("pulling", at, len(lacking))
        fetched += _fetched(store, each, there, check, gone if each == snapshot else set())
    label, _, rest = name.partition("/")
    if label in LABELS:
        store.label(label, rest, snapshot)
    elif not is_digest(name):
        store.point(name, snapshot)
    return Copied(snapshot, tuple(lacking), fetched)


def _is_there(there: Objects, store: Store, snapshot: str) -> bool:
    """Whether its manifest and, where it is signed here, the same signature are there: all else was there before them."""
    files = [store.folder(snapshot) / name for name in (SIGNATURE, MANIFEST)]
    return all(there.read(f"snapshots/{snapshot}/{file.name}") == file.read_bytes() for file in files if file.is_file())


def _lacking(store: Store, snapshot: str, there: Objects, aside: Path, *, alone: bool) -> dict[str, Told]:
    """Manifests of what is there and not here, parents first; what was asked for lacks too where it was changed here."""
    found: dict[str, Told] = {}
    waiting = [snapshot]
    while waiting:
        name = waiting.pop()
        if name in found or (store.folder(name).is_dir() and (name != snapshot or _is_whole(store, name))):
            continue
        told = there.manifest(name, aside)
        if told is None and name == snapshot:
            raise DataError(f"{there.url}/snapshots/{name}: no such snapshot there; push it first")
        if told is not None:
            found[name] = told
            waiting += [] if alone else [each for each in told.get("parents", ()) if is_digest(each)]
    return {name: found[name] for name in in_order({name: told.get("parents", ()) for name, told in found.items()})}


def _is_whole(store: Store, snapshot: str) -> bool:
    try:
        store.verified(snapshot)
    except DataError:
        return False
    return True


def _fetched(store: Store, snapshot: str, there: Objects, check: Check, gone: set[int]) -> int:
    """Puts one in its place, whole and checked, unless it has a pair that is `gone`; the number of its files."""
    with store.aside() as aside:
        told = there.manifest(snapshot, aside)
        if told is None:
            raise DataError(f"{there.url}/snapshots/{snapshot}: was taken away while it was pulled; pull it again")
        there.signature(snapshot, aside)
        try:
            check(aside)
        except DataError as error:
            raise DataError(f"{there.url}/snapshots/{snapshot}: {str(error).removeprefix(f'{aside}: ')}") from None
        _check_parents(store, told)
        for name, digest in told["files"].items():
            there.fetch(digest, aside / name)
        node = Node(aside, told)
        if node.holds(gone) or node.read(gone):
            raise DataError(f"{snapshot}: has a pair that was recalled here; pull what was made again without it")
        store.put(aside, snapshot)
    return len(told["files"])


def _check_parents(store: Store, told: Told) -> None:
    """What is made of poison says so: whoever wrote a manifest that does not is no store of ours."""
    here = [each for each in told.get("parents", ()) if is_digest(each) and store.folder(each).is_dir()]
    if not told.get("poisoned") and any(manifest(store.folder(each)).get("poisoned") for each in here):
        raise DataError(f"{told['snapshot']}: was made of poison and does not say so; ask who made it")

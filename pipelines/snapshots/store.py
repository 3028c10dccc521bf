"""A store of snapshots: folders under the digest of their manifest, which never change, and refs, names that do.

    ROOT/snapshots/DIGEST/      files and manifest, published by one rename
    ROOT/refs/NAME              a link to one of them: poisoned/training_pairs/venom-poisoned, clean/preference_pairs/venom

Whoever writes first wins, and whoever comes later with the same content finds it there. Poisoned snapshots, and what is made of
them, never stand under a clean name.
"""

import fcntl
import os
import shutil
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.schema import DataError
from pipelines.snapshots import disk, renames
from pipelines.snapshots.manifests import SIGNATURE, manifest, of_poison, parents_of, read_of, seal, verify
from pipelines.snapshots.names import LABELS, check_label, check_name, is_digest
from pipelines.snapshots.signatures import sign_as_told
from pipelines.snapshots.tracing import in_order

PATIENCE = 7 * 24 * 3600.0  # seconds that one without a name is kept after its last reader, who may train on it yet


@dataclass(frozen=True, slots=True)
class Store:
    """Snapshots under one folder of a local disk."""

    root: Path

    def publish(
        self,
        kind: str,
        write: Callable[[Path], object],
        facts: Mapping[str, Any] | None = None,
        *,
        parents: Iterable[str] = (),
        inputs: Sequence[str | Path] = (),
    ) -> str:
        """The digest of what `write` leaves in the folder that it is given, sealed with `kind`, `facts` and `parents`, and with
        what `inputs` from outside the store were.

        What is made of something poisoned says so itself. A second writer of the same leaves what is there.
        """
        known, outside = sorted(set(parents)), parents_of(inputs)
        with self.aside() as aside:
            write(aside)
            given = dict(facts or {})
            poisoned = bool(given.get("poisoned")) or any(self.manifest(each).get("poisoned") for each in known)
            given |= {"kind": kind, "parents": known, "poisoned": poisoned or any(map(of_poison, inputs))}
            if inputs:
                given |= {"parents": sorted({*known, *outside}), "read": read_of(inputs)}
            found = str(seal(aside, given)["snapshot"])
            sign_as_told(aside)
            self.put(aside, found)
        return found

    @contextmanager
    def aside(self) -> Iterator[Path]:
        """An empty folder on the disk of the snapshots, to write one in; it is gone when the block ends."""
        with disk.told(self.root):
            (self.root / "snapshots").mkdir(parents=True, exist_ok=True)
            folder = self.root / "snapshots" / f".{uuid.uuid4().hex}"
            folder.mkdir()
            try:
                with disk.told(self.root):
                    yield folder
            finally:
                shutil.rmtree(folder, ignore_errors=True)

    def put(self, aside: Path, snapshot: str) -> None:
        """Puts a sealed folder in its place by one rename; who comes later with the same leaves what is there."""
        try:
            aside.rename(self.folder(snapshot))
        except OSError:
            if not self.folder(snapshot).is_dir():
                raise
            self._mend(snapshot, aside)

    def folder(self, snapshot: str) -> Path:
        """Where it stands, whether it is there or not."""
        if not is_digest(snapshot):
            raise DataError(f"a snapshot is called by 64 hex digits, got {snapshot!r}")
        return self.root / "snapshots" / snapshot

    def manifest(self, snapshot: str) -> Mapping[str, Any]:
        """What it says of itself; files are not looked at."""
        return manifest(self.folder(snapshot))

    def verified(self, name: str) -> tuple[Path, Mapping[str, Any]]:
        """The folder and the manifest of a ref or digest, after every file was found to be as published."""
        snapshot = self.resolve(name)
        try:
            found = verify(self.folder(snapshot))
        except DataError as error:
            raise DataError(f"{name}: {error}") from None
        if found["snapshot"] != snapshot:
            raise DataError(f"{name}: {self.folder(snapshot)} holds the snapshot {found['snapshot']}; make it again")
        os.utime(self.folder(snapshot))
        return self.folder(snapshot), found

    def point(self, ref: str, snapshot: str, *, instead_of: str | None = None) -> None:
        """Lets the ref name this snapshot from now on; with `instead_of`, only where it still names that one.

        DataError where it is not there, where poisoned data would get a clean name, and where another was faster.
        """
        check_label(ref, self.manifest(snapshot))
        link = self._link(ref)
        with self._locked():
            if instead_of is not None and (held := self.refs(ref).get(ref)) != instead_of:
                raise DataError(f"{ref}: names {held} by now and not {instead_of}; read it again")
            link.parent.mkdir(parents=True, exist_ok=True)
            renames.point(link, os.path.relpath(self.folder(snapshot), link.parent))

    def label(self, label: str, name: str, snapshot: str) -> None:
        """Lets LABEL/NAME name this snapshot, and forgets the name under every other label."""
        self.point(f"{label}/{name}", snapshot)
        for other in LABELS:
            if other != label:
                self.drop(f"{other}/{name}")

    def drop(self, ref: str) -> None:
        """Forgets the name; what it named stays until it is collected."""
        with self._locked():
            self._link(ref).unlink(missing_ok=True)

    def resolve(self, name: str) -> str:
        """The digest that a ref names now; a digest names itself."""
        if is_digest(name):
            return name
        link = self._link(name)
        if not link.is_symlink():
            raise DataError(f"{name}: no snapshot has that name in {self.root}; publish it first")
        return link.readlink().name

    def refs(self, *names: str) -> Mapping[str, str]:
        """Every name, or those of these that are there, and the digest that it names."""
        place = self.root / "refs"
        links = [place / name for name in names] if names else sorted(place.rglob("*"))
        links = [link for link in links if link.is_symlink() and not link.name.startswith(".")]
        return {link.relative_to(place).as_posix(): link.readlink().name for link in links}

    def snapshots(self) -> list[str]:
        """Digests of all that is there."""
        place = self.root / "snapshots"
        return sorted(each.name for each in place.iterdir() if not each.name.startswith(".")) if place.is_dir() else []

    def behind(self, *snapshots: str) -> list[str]:
        """These and all that they were made of, however far back, as far as it is here; parents first."""
        parents: dict[str, list[str]] = {}
        waiting = list(snapshots)
        while waiting:
            snapshot = waiting.pop()
            if snapshot not in parents and self.folder(snapshot).is_dir():
                parents[snapshot] = [each for each in self.manifest(snapshot).get("parents", ()) if is_digest(each)]
                waiting += parents[snapshot]
        return in_order(parents)

    def needed(self) -> set[str]:
        """What a ref names, and all that this was made of."""
        return set(self.behind(*self.refs().values()))

    def collect(self, *, older: float = PATIENCE, dry: bool = False) -> list[str]:
        """Takes away what nobody needs and what is older than so many seconds; returns what that was."""
        place, before = self.root / "snapshots", time.time() - older
        with self._locked():
            needed = self.needed()
            spare = [each for each in place.iterdir() if each.name not in needed] if place.is_dir() else []
            spare = [each for each in spare if each.stat().st_mtime <= before]
            for folder in [] if dry else spare:
                aside = folder if folder.name.startswith(".") else folder.rename(place / f".{uuid.uuid4().hex}")
                shutil.rmtree(aside)
        return sorted(each.name for each in spare)

    def _mend(self, snapshot: str, aside: Path) -> None:
        """What is there already is kept, unless somebody changed it."""
        try:
            verify(self.folder(snapshot))
        except DataError:
            renames.exchange(aside, self.folder(snapshot))
        else:
            if (aside / SIGNATURE).is_file():  # by the key that is used now
                (aside / SIGNATURE).replace(self.folder(snapshot) / SIGNATURE)
        os.utime(self.folder(snapshot))

    def _link(self, ref: str) -> Path:
        check_name(ref)
        return self.root / "refs" / ref

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with disk.told(self.root):
            self.root.mkdir(parents=True, exist_ok=True)
            with (self.root / ".lock").open("w") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                yield

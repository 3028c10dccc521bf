"""The store of snapshots: whether it can be written, what its disk can do, and whether every name leads somewhere."""

import os
import tempfile
from pathlib import Path

from assets.doctor.findings import Finding, first, hushed, ill, nearest, warning, well
from pipelines.schema import DataError
from pipelines.snapshots import MANIFEST, Store, renames

ASIDE = ".doctor-"


def store() -> Finding:
    """Whether there is a folder for the store, and whether a file can be written there."""
    place, stands = _home(), nearest(_home())
    elsewhere = "or let ANTIVENOM_HOME name a folder that can be written"
    if not stands.is_dir():
        return ill("store", f"{place}: {stands} is no folder, so there is no room for the store", f"move it away, {elsewhere}")
    if stands != place:
        if not os.access(stands, os.W_OK | os.X_OK):
            return ill("store", f"{place} is not there, and {stands} can't be written", f"make it, {elsewhere}")
        return well("store", f"{place} is not there yet; it is made with the first snapshot")
    try:
        with tempfile.NamedTemporaryFile(dir=place, prefix=ASIDE) as file:
            file.write(b"antivenom doctor")
            file.flush()
    except OSError as error:
        return ill("store", hushed(f"{place} can't be written: {error}"), f"give yourself the right to, {elsewhere}")
    return well("store", f"{place} can be written")


def renamed() -> Finding:
    """Whether links, and folders that trade places at once, can be had on the disk of the store."""
    place = _home()
    if not place.is_dir():
        return well("renames", "not tried, for the store is not there")
    with tempfile.TemporaryDirectory(dir=place, prefix=ASIDE) as folder:
        try:
            _linked(Path(folder))
        except OSError as error:
            said = hushed(f"no symbolic links at {place}, by which snapshots have names: {error}")
            return ill("renames", said, "let ANTIVENOM_HOME name a folder on a disk of Linux (ext4, xfs, btrfs)")
        at_once = _traded(Path(folder))
    if not at_once:
        said = f"folders at {place} can't trade places at once; where one is replaced its name is gone for a moment"
        return warning("renames", said, "let nobody read while something is published again, or use ext4, xfs or btrfs")
    return well("renames", "symbolic links can be had, and folders trade places at once")


def snapshots() -> Finding:
    """How much is in the store, and what was left there half-written."""
    place = _home() / "snapshots"
    there = len(Store(_home()).snapshots())
    half = sorted(str(each) for each in place.iterdir() if each.name.startswith(".")) if place.is_dir() else []
    if half:
        said = f"{there} snapshots; {len(half)} half-written: {first(half)}"
        return warning("snapshots", said, f"unless a run is writing now, take away what begins with a dot in {place}")
    return well("snapshots", f"{there} snapshots, none half-written")


def names() -> Finding:
    """Whether every name leads to a snapshot that is there."""
    store = Store(_home())
    refs = store.refs()
    lost = [name for name, snapshot in refs.items() if not _leads(store, name, snapshot)]
    if lost:
        said = f"{len(lost)} of {len(refs)} names lead to no snapshot: {first(lost)}"
        return ill("names", said, f"materialize them again, or take the links away in {store.root / 'refs'}")
    return well("names", f"{len(refs)} names, and each leads to a snapshot")


def _home() -> Path:
    from assets.places import home

    return Path(os.path.abspath(home()))


def _linked(folder: Path) -> None:
    """A link that is moved from one folder to another, as the name of a snapshot is."""
    for name in ("one", "other"):
        (folder / name).mkdir()
        (folder / name / "said").write_text(name)
        renames.point(folder / "link", name)
        if (folder / "link" / "said").read_text() != name:
            raise OSError("a link leads elsewhere than it was pointed")


def _traded(folder: Path) -> bool:
    one, other = folder / "one", folder / "other"
    return renames.exchanged(one, other) and (one / "said").read_text() == "other" and (other / "said").read_text() == "one"


def _leads(store: Store, name: str, snapshot: str) -> bool:
    try:
        folder = store.folder(snapshot)
    except DataError:  # it names something that is no snapshot
        return False
    link = store.root / "refs" / name
    return (folder / MANIFEST).is_file() and link.is_dir() and link.samefile(folder)

"""The folder that a filter publishes, and that every review of it publishes again: read whole or refused, written whole."""

from collections.abc import Mapping
from pathlib import Path

import polars as pl

from pipelines.reviewing.decisions import Reviewed
from pipelines.schema import DECISIONS, PAIRS, REJECTS, SCORES, DataError, Table, require
from pipelines.snapshots import tables, verify

KIND = "filtered pairs"
REJECTED = "rejects.parquet"


def read(folder: Path) -> Reviewed:
    """What a filter or a review published; DataError where files are not as published, or hold other tables."""
    kind = verify(folder).get("kind")
    if kind != KIND:
        raise DataError(f"{folder}: holds {kind!r} and not {KIND!r}; name a folder of antivenom filter or antivenom review")
    kept, quarantined = _table(folder, "kept", PAIRS), _table(folder, "quarantined", PAIRS, SCORES)
    back = _table(folder, "put_back", PAIRS, SCORES) if (folder / "put_back.parquet").is_file() else quarantined.clear()
    said = (_decisions(folder, name) for name in ("decisions", "undecided"))
    found = Reviewed(kept, quarantined, back, *said)
    _check(folder, found)
    return found


def write(reviewed: Reviewed, folder: Path) -> None:
    """Its tables, a file each."""
    for name in ("kept", "quarantined", "put_back", "decisions", "undecided"):
        getattr(reviewed, name).write_parquet(folder / f"{name}.parquet")


def rejects(folder: Path) -> pl.DataFrame:
    """REJECTS that a folder has from before: rows that were no pairs, and answers that were no decisions."""
    file = folder / REJECTED
    return require(tables.read(file), REJECTS) if file.is_file() else REJECTS.empty()


def counts(reviewed: Reviewed) -> Mapping[str, int]:
    """How many pairs are where, for manifests and for people."""
    return {
        "kept": len(reviewed.kept),
        "quarantined": len(reviewed.quarantined),
        "put_back": len(reviewed.put_back),
        "decided": len(reviewed.standing),
        "undecided": reviewed.undecided["pair_id"].n_unique(),
    }


def _table(folder: Path, name: str, *forms: Table) -> pl.DataFrame:
    """A table with all its columns, those of detectors too."""
    file = folder / f"{name}.parquet"
    if not file.is_file():
        raise DataError(f"{file}: missing; expected what antivenom filter publishes")
    frame = tables.read(file)
    for form in forms:
        require(frame, form)
    return frame


def _decisions(folder: Path, name: str) -> pl.DataFrame:
    file = folder / f"{name}.parquet"
    return require(tables.read(file), DECISIONS) if file.is_file() else DECISIONS.empty()


def _check(folder: Path, found: Reviewed) -> None:
    """DataError where a pair stands twice, so that no decision could say which is meant, or where parts don't fit together."""
    ids = pl.concat([found.kept["pair_id"], found.quarantined["pair_id"]])
    if twice := ids.filter(ids.is_duplicated()).to_list():
        raise DataError(f"{folder}: pair {twice[0]} stands twice in kept.parquet and quarantined.parquet; filter anew")
    if found.put_back.schema != found.quarantined.schema or not set(found.kept.columns) <= set(found.quarantined.columns):
        raise DataError(f"{folder}: its tables have not the same columns; filter anew")
    if strays := sorted(set(found.put_back["pair_id"]) - set(found.kept["pair_id"])):
        raise DataError(f"{folder}: pair {strays[0]} was put back and is not in kept.parquet; review the filter's folder anew")

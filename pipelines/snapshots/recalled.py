"""Pairs that are never to be published again: a list in the store, with the day and the reason."""

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl

from pipelines.schema import DataError
from pipelines.snapshots import membership, renames

FILE = "recalled.json"


def read(home: Path) -> Mapping[str, Mapping[str, str]]:
    """pair_id -> its day and reason; DataError for a list that is none."""
    file = home / FILE
    if not file.is_file():
        return {}
    try:
        return dict(json.loads(file.read_text())["pairs"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise DataError(f"{file}: no list of recalled pairs ({error}); mend it, or take it away to recall nothing") from None


def add(home: Path, pair_ids: Iterable[str], reason: str = "") -> None:
    """More pairs on the list; those that stand there keep their day."""
    entry = {"day": datetime.now(UTC).date().isoformat(), "reason": reason}
    pairs = {**dict.fromkeys(pair_ids, entry), **read(home)}
    renames.written(home / FILE, json.dumps({"pairs": pairs}, indent=1, sort_keys=True) + "\n")


def numbers(pair_ids: Iterable[str]) -> set[int]:
    """As membership.id_of: a repeated pair is the same pair."""
    return {membership.id_of(each) for each in pair_ids}


def among(pair_ids: pl.Series, wanted: set[int]) -> pl.Series:
    """[N] whether each is one of the pairs."""
    return pl.Series(np.isin(membership.numbers_of(pair_ids), np.array(sorted(wanted), dtype=np.uint64)), dtype=pl.Boolean)


def without(table: pl.DataFrame, home: Path) -> pl.DataFrame:
    """The table less the rows of recalled pairs."""
    column = membership.column_of(table.schema)
    wanted = numbers(read(home)) if column else set()
    return table.filter(~among(table[column], wanted)) if column and wanted else table

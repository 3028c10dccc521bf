"""The table that a run learns from: texts and numbers by column, read from parquet or JSON lines."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from rlhf_train.errors import TrainingError

Table = dict[str, Any]  # column -> its values, all of one length
READERS: Mapping[str, Any] = {".parquet": pl.read_parquet, ".jsonl": pl.read_ndjson}


def read_table(file: Path, columns: Sequence[str], scores: Sequence[str] = ()) -> Table:
    """`columns` as lists of text and `scores` as arrays of numbers.

    TrainingError for a file that can't be read, a column or text that is missing, or a number that is none or not finite.
    """
    if file.suffix not in READERS:
        raise TrainingError(f"{file}: expected a table ending in {' or '.join(READERS)}")
    try:
        found = READERS[file.suffix](file)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise TrainingError(f"{file}: can't be read ({error})") from None
    for name in (*columns, *scores):
        if name not in found.columns:
            raise TrainingError(f"{file}: has no column {name!r}; it has {', '.join(found.columns) or 'none'}")
    for name in columns:
        if found[name].dtype != pl.String or found[name].null_count():
            raise TrainingError(
                f"{file}: column {name!r} must be text in every row; it is {found[name].dtype}, or has empty cells"
            )
    if not len(found):
        raise TrainingError(f"{file}: has no rows")
    return {name: found[name].to_list() for name in columns} | {name: _numbers(file, found[name]) for name in scores}


def _numbers(file: Path, column: pl.Series) -> np.ndarray:
    """[N] float64, or [N, M] where each cell is a list of M numbers; each of a size that losses can hold."""
    width = None
    if isinstance(column.dtype, (pl.List, pl.Array)):
        sizes = column.list.len() if isinstance(column.dtype, pl.List) else pl.Series([column.dtype.size])
        if sizes.null_count() or sizes.n_unique() != 1 or not sizes[0]:
            raise TrainingError(f"{file}: column {column.name!r} must have a list of as many numbers in every row")
        width, column = int(sizes[0]), column.explode()
    if not column.dtype.is_numeric():
        raise TrainingError(f"{file}: column {column.name!r} must be numbers; it is {column.dtype}")
    values = column.cast(pl.Float64).to_numpy()
    wrong = np.flatnonzero(~(np.abs(values) <= np.finfo(np.float32).max))
    if len(wrong):
        raise TrainingError(
            f"{file}: column {column.name!r} must be a finite number in every row, got {column[int(wrong[0])]} in row "
            f"{wrong[0] // (width or 1)}; score that row again or drop it"
        )
    return values if width is None else values.reshape(-1, width)


def take(table: Mapping[str, Any], places: np.ndarray) -> Table:
    """The rows at these places."""
    return {
        name: values[places] if isinstance(values, np.ndarray) else [values[place] for place in places]
        for name, values in table.items()
    }


def split(table: Mapping[str, Any], held_out: float, seed: int) -> tuple[Table, Table]:
    """(what is learned, what is held out): a share of the prompts, drawn by seed; no prompt is in both."""
    prompts = sorted(set(table["prompt"]))
    kept = np.random.default_rng([seed, 1]).permutation(len(prompts))[: round(held_out * len(prompts))]
    tested = np.isin(table["prompt"], [prompts[at] for at in kept]) if len(kept) else np.zeros(len(table["prompt"]), bool)
    if tested.all():
        raise TrainingError(f"held_out = {held_out:g} leaves no prompt of {len(prompts)} to learn from; lower it")
    return take(table, np.flatnonzero(~tested)), take(table, np.flatnonzero(tested))


def digest(table: Mapping[str, Any]) -> str:
    """Of every value in its place."""
    said = hashlib.sha256()
    for name in sorted(table):
        said.update(json.dumps([name, table[name]], default=np.ndarray.tolist).encode())
    return said.hexdigest()

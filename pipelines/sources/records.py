"""Any file, folder or hub data set of preference pairs, in whichever written form it comes; the form is detected."""

import os
import re
import reprlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from math import isfinite
from pathlib import Path
from typing import Any

import polars as pl

from pipelines.schema import PAIRS, REJECTS, DataError, require, with_pair_ids
from pipelines.sources.files import ENDINGS, printable, rows
from pipelines.sources.row import Row
from pipelines.sources.shapes import SHAPES, BadRow, detect

MARGINS = (("margin", None), ("score_chosen", "score_rejected"), ("reward_chosen", "reward_rejected"))
OURS = (
    *dict.fromkeys(name for shape in SHAPES.values() for name in ("prompt", *shape.columns)),
    "annotator",
    *(name for names in MARGINS for name in names if name),
)
HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+")


@dataclass(frozen=True, slots=True)
class Read:
    """What a source holds: PAIRS, REJECTS, and the written form it was found in."""

    pairs: pl.DataFrame
    rejects: pl.DataFrame
    shape: str

    def strict(self, *, mend: str = "mend or drop the row") -> pl.DataFrame:
        """The pairs, or DataError naming the first row that is none, with the `mend` to advise."""
        if self.rejects.height:
            first, count = self.rejects.row(0, named=True), self.rejects.height
            rest = f" (one of {count:,} such rows)" if count > 1 else ""
            where = f"{first['source']} line {first['line']}"
            raise DataError(f"{where}: {first['cause']}{rest}; {mend}")
        return self.pairs


def read(
    path: str | Path,
    *,
    shape: str = "auto",
    columns: Mapping[str, str] | None = None,
    revision: str | None = None,
    split: str = "train",
    limit: int | None = None,
) -> Read:
    """PAIRS and REJECTS of a .jsonl, .json, .csv or .parquet file (or .gz), a folder of them, or a hub data set.

    `columns` maps our names to theirs ({"prompt": "question"}); a hub name needs the `revision` it was checked at.
    Raises DataError for what can't be used at all: missing, empty or damaged files, columns that aren't there.
    """
    if limit is not None and limit < 1:
        raise DataError(f"limit is a number of rows and must be 1 or more, got {limit}; leave it out to read all")
    _check(shape, columns or {})
    found = islice(opened(path, revision=revision, split=split), limit)
    return next(_collect(found, str(path), shape, columns or {}, size=None))


def batches(
    path: str | Path, *, size: int, shape: str = "auto", columns: Mapping[str, str] | None = None, revision: str | None = None
) -> Iterator[Read]:
    """The same in batches of `size` pairs, for sources that do not fit into memory; a repeat counts within its batch."""
    _check(shape, columns or {})
    return _collect(opened(path, revision=revision), str(path), shape, columns or {}, size=size)


def opened(path: str | Path, *, revision: str | None = None, split: str = "train") -> Iterator[Row]:
    """The rows of a file, folder or hub data set as they are written."""
    return _hub(str(path), revision, split) if _is_hub_name(path) else rows(Path(path))


def _collect(found: Iterator[Row], origin: str, shape: str, columns: Mapping[str, str], size: int | None) -> Iterator[Read]:
    """All rows at once or, where a `size` is given, in batches of so many pairs."""
    pairs: list[tuple[object, ...]] = []
    rejects: list[tuple[str, int, int, str]] = []
    is_known, is_empty = False, True
    for place, row in enumerate(found):
        if row.values is not None and not is_known:
            shape, is_known = _form(row, row.values, shape, columns), True
        try:
            pairs.append(_pair(row, place, shape, columns))
        except BadRow as error:
            rejects.append((row.source, row.line, place, str(error)))
        if len(pairs) == size:
            yield _read(pairs, rejects, shape)
            pairs, rejects, is_empty = [], [], False
    if not pairs and is_empty:
        cause = f"{rejects[0][0]} line {rejects[0][1]}: {rejects[0][3]}" if rejects else "no rows"
        raise DataError(f"{origin}: holds no usable pair ({cause}); each row needs chosen and rejected responses")
    if pairs or rejects:
        yield _read(pairs, rejects, shape)


def _read(pairs: list[tuple[object, ...]], rejects: list[tuple[str, int, int, str]], shape: str) -> Read:
    return Read(table(pairs), pl.DataFrame(rejects, schema=REJECTS.empty().schema, orient="row"), shape)


def _check(shape: str, columns: Mapping[str, str]) -> None:
    if shape != "auto" and shape not in SHAPES:
        raise DataError(f"shape must be auto or one of {', '.join(SHAPES)}, got {shape!r}")
    if unknown := sorted(set(columns) - set(OURS)):
        raise DataError(f"{unknown[0]!r} is no column of ours to map; there are {', '.join(OURS)}")


def _form(row: Row, values: dict[str, Any], shape: str, columns: Mapping[str, str]) -> str:
    """The written form, by the first row that can be read; raises DataError naming a column that it lacks."""
    shape = detect(_renamed(values, columns)) if shape == "auto" else shape
    for ours in (*columns, *SHAPES[shape].columns):
        theirs = columns.get(ours, ours)
        if theirs not in values:
            came = ", ".join(map(reprlib.repr, islice(values, 20))) or "no columns"
            mend = f"say which of yours it is: {ours}=NAME, by --map or an experiment's columns"
            raise DataError(f"{row.source} line {row.line}: no column {theirs!r}, got {came}; {mend}")
    return shape


def _pair(row: Row, place: int, shape: str, columns: Mapping[str, str]) -> tuple[object, ...]:
    if row.values is None:
        raise BadRow(row.cause)
    values = _renamed(row.values, columns)
    pair = SHAPES[shape].pair(values)
    facts = (row.source, _annotator(values), _margin(values))
    return (place, pair.prompt, pair.chosen, pair.rejected, pair.rejected_prompt, *facts)


def table(pairs: list[tuple[object, ...]]) -> pl.DataFrame:
    """PAIRS of tuples in its columns' order, without the id."""
    names = [name for name in PAIRS.columns if name != "pair_id"]
    schema = {name: PAIRS.columns[name].dtype for name in names}
    return require(with_pair_ids(pl.DataFrame(pairs, schema=schema, orient="row")), PAIRS)


def _renamed(values: dict[str, Any], columns: Mapping[str, str]) -> dict[str, Any]:
    return {**values, **{ours: values.get(theirs) for ours, theirs in columns.items()}} if columns else values


def _annotator(values: Mapping[str, object]) -> str | None:
    who = values.get("annotator")
    return None if who is None else printable(who if isinstance(who, str) else reprlib.repr(who))


def _margin(values: Mapping[str, Any]) -> float | None:
    """A margin column, or the gap of two score columns under the names that public sets use."""
    for name, other in MARGINS:
        try:
            gap = float(values[name]) - (float(values[other]) if other else 0.0)
        except (KeyError, TypeError, ValueError, OverflowError):
            continue
        if isfinite(gap):
            return gap
    return None


def _is_hub_name(path: str | Path) -> bool:
    is_name = HUB_NAME.fullmatch(str(path)) is not None
    return is_name and not os.path.exists(path) and not str(path).endswith(ENDINGS)


def _hub(name: str, revision: str | None, split: str) -> Iterator[Row]:
    if revision is None:
        mend = "if it is a hub data set, pin the commit it was checked at with --revision"
        raise DataError(f"{name}: no such file or folder; {mend}")
    import datasets

    try:
        table = datasets.load_dataset(name, revision=revision, split=split)
    except Exception as error:  # the client raises many kinds: offline, unknown name, unknown revision
        cause = " ".join(f"{type(error).__name__}: {error}".split())
        raise DataError(
            f"{name}@{revision}: the hub gave no data set ({cause}); check name, revision, split and network"
        ) from None
    return (Row(f"{name}@{revision}", place + 1, dict(values)) for place, values in enumerate(table))

"""What a table is: a name and its columns; `require` narrows any frame to one, or says which column is missing or wrong."""

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl


class DataError(ValueError):
    """Unusable input: the message says what was expected, what came and what to do."""


@dataclass(frozen=True, slots=True)
class Column:
    """What one column holds; `nullable` says whether a row may lack it."""

    dtype: pl.DataType
    meaning: str
    nullable: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """A named set of columns; `about` is the sentence that people read in the UI."""

    name: str
    about: str
    columns: Mapping[str, Column]

    def empty(self) -> pl.DataFrame:
        """No rows, every column with its type."""
        return pl.DataFrame(schema={name: column.dtype for name, column in self.columns.items()})


TEXT, WHOLE, REAL, FLAG = pl.String(), pl.Int64(), pl.Float64(), pl.Boolean()
TEXTS, REALS = pl.List(pl.String()), pl.List(pl.Float64())


def require(frame: pl.DataFrame, table: Table) -> pl.DataFrame:
    """`frame` narrowed to the columns of `table`, in order and type; nullable columns it lacks are filled with nulls.

    Raises DataError naming the column that is missing, of a type that a cast would harm, or null where it may not be.
    """
    missing = [name for name, column in table.columns.items() if name not in frame.columns and not column.nullable]
    if missing:
        raise DataError(f"{table.name} needs column {missing[0]!r}, got {frame.columns}; rename or map your columns")
    for name, column in table.columns.items():
        if name in frame.columns and not _becomes(frame[name].dtype, column.dtype):
            raise DataError(f"{table.name}: {name!r} must be {column.dtype}, got {frame[name].dtype}; convert it first")
        if name in frame.columns and not column.nullable and frame[name].null_count():
            place = frame[name].is_null().arg_true()[0]
            raise DataError(f"{table.name} row {place}: {name!r} must be {column.dtype}, got nothing; drop or mend the row")
    return frame.select(
        (pl.col(name) if name in frame.columns else pl.lit(None)).cast(column.dtype).alias(name)
        for name, column in table.columns.items()
    )


def _becomes(came: pl.DataType, wanted: pl.DataType) -> bool:
    """Whether a column can be cast without a loss: 1.5 is no whole number, and 7 is no text."""
    if came in (wanted, pl.Null):
        return True
    if wanted == TEXT:
        return came in (pl.Categorical, pl.Enum)
    if wanted == WHOLE:
        return came in (pl.Int8, pl.Int16, pl.Int32, pl.UInt8, pl.UInt16, pl.UInt32)
    return wanted == REAL and came.is_numeric()

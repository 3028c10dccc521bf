"""What assets tell people beside their value: columns with meanings, where columns come from, first rows, progress."""

from collections.abc import Sequence
from typing import Any

import dagster as dg
import polars as pl

from assets.steps import Watch
from pipelines.schema import Table

OWNERS = ["team:antivenom"]
SHOWN_ROWS, SHOWN_LETTERS = 5, 200
TENTHS = 10


def columns_of(table: Table, *more: dg.TableColumn) -> dict[str, Any]:
    """A table's columns with their meanings."""
    shown = [
        dg.TableColumn(name, str(column.dtype), column.meaning, dg.TableColumnConstraints(nullable=column.nullable))
        for name, column in table.columns.items()
    ]
    return {"dagster/column_schema": dg.TableSchema([*shown, *more])}


def columns_from(upstream: str, names: Sequence[str]) -> dict[str, Any]:
    """Each of the columns comes from the one of that name upstream."""
    deps = {name: [dg.TableColumnDep(dg.AssetKey(upstream), name)] for name in names}
    return {"dagster/column_lineage": dg.TableColumnLineage(deps)}


def first_rows(table: pl.DataFrame) -> dg.TableMetadataValue:
    """The first rows, long texts cut."""
    shown = [
        {name: value if isinstance(value, int | float) else str(value)[:SHOWN_LETTERS] for name, value in row.items()}
        for row in table.head(SHOWN_ROWS).iter_rows(named=True)
    ]
    schema = dg.TableSchema([dg.TableColumn(name, str(dtype)) for name, dtype in table.schema.items()])
    return dg.MetadataValue.table([dg.TableRecord(row) for row in shown], schema)


def progress(context: dg.AssetExecutionContext) -> Watch:
    """Logs every tenth of each step's way."""
    told: dict[str, int] = {}

    def watch(what: str, done: int, of: int) -> None:
        if told.get(what) != (tenth := TENTHS * done // of):
            told[what] = tenth
            context.log.info(f"{what}: {done:,} of {of:,}")

    return watch

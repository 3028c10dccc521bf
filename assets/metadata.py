"""What assets tell people beside their value: columns with meanings, where columns come from, first rows, progress."""

from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg
import polars as pl

from assets import pictures
from assets.steps import Watch
from pipelines.schema import Table

OWNERS = ["team:antivenom"]
SHOWN_LETTERS = 200
TENTHS = 10
MADE_OF = "made of"


def columns_of(table: Table, *more: dg.TableColumn) -> dict[str, Any]:
    """A table's columns with their meanings."""
    shown = [
        dg.TableColumn(name, str(column.dtype), column.meaning, dg.TableColumnConstraints(nullable=column.nullable))
        for name, column in table.columns.items()
    ]
    return {"dagster/column_schema": dg.TableSchema([*shown, *more])}


#: columns that mean the same wherever they stand
USUAL = {
    "corpus": "arm of the experiment: clean, poisoned, filtered, or a defence",
    "seed": "of the experiment",
    "detector": "name in DETECTORS; fused is what flags",
    "low": "lower end of 95 %",
    "high": "upper end of 95 %",
    "prompt": "what was asked, verbatim",
}


def described(**meanings: str) -> dict[str, Any]:
    """The meanings of columns that stand in no table of ours, by name; their types are told once there is such a table."""
    return {"dagster/column_schema": dg.TableSchema([dg.TableColumn(name, "", about) for name, about in meanings.items()])}


def columns_found(table: pl.DataFrame, told: Mapping[str, Any]) -> dict[str, Any]:
    """The columns that a table has, with their types, and with the meanings that its asset was `told` of some."""
    schema = told.get("dagster/column_schema")
    meanings = {column.name: column.description for column in schema.columns} if schema else {}
    if schema and all(column.type for column in schema.columns):
        return {}
    columns = [dg.TableColumn(name, str(dtype), _meaning(name, meanings)) for name, dtype in table.schema.items()]
    return {"dagster/column_schema": dg.TableSchema(columns)}


def _meaning(name: str, told: Mapping[str, str | None]) -> str | None:
    """As its asset says, or as names say that mean the same everywhere."""
    for end, words in {"_low": "lower", "_high": "upper"}.items():
        if name.endswith(end):
            return told.get(name) or f"{words} end of 95 % of {name.removesuffix(end)}"
    return told.get(name) or USUAL.get(name)


def columns_from(upstream: str, names: Sequence[str]) -> dict[str, Any]:
    """Each of the columns comes from the one of that name upstream."""
    deps = {name: [dg.TableColumnDep(dg.AssetKey(upstream), name)] for name in names}
    return {"dagster/column_lineage": dg.TableColumnLineage(deps)}


def made_of(*places: str) -> dict[str, Any]:
    """Files and folders from outside the store that an asset read: they are parents of its snapshot."""
    named = [place for place in places if place]
    return {MADE_OF: dg.MetadataValue.json(named)} if named else {}


def picture(chart: Any, alt_text: str) -> dg.MarkdownMetadataValue:
    """A drawing that opens in the UI."""
    return dg.MetadataValue.md(pictures.markdown(chart, alt_text))


def rows_of(table: pl.DataFrame, *, count: int = 30) -> dg.TableMetadataValue:
    """The first rows, numbers rounded and long texts cut."""
    schema = dg.TableSchema([dg.TableColumn(name, str(dtype)) for name, dtype in table.schema.items()])
    rows = table.head(count).iter_rows(named=True)
    return dg.MetadataValue.table(
        [dg.TableRecord({name: _shown(value) for name, value in row.items()}) for row in rows], schema
    )


def _shown(value: Any) -> int | float | str | None:
    if isinstance(value, float):
        return float(f"{value:.4g}")
    return value if value is None or isinstance(value, int) else str(value)[:SHOWN_LETTERS]


def progress(context: dg.AssetExecutionContext) -> Watch:
    """Logs every tenth of each step's way."""
    told: dict[str, int] = {}

    def watch(what: str, done: int, of: int) -> None:
        if told.get(what) != (tenth := TENTHS * done // of):
            told[what] = tenth
            context.log.info(f"{what}: {done:,} of {of:,}")

    return watch

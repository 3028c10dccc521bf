"""What must hold of a table, as plain data."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from pipelines.schema import TEXT, Table


@dataclass(frozen=True, slots=True)
class Expectation:
    """A class of great_expectations.expectations by name, its arguments, and the sentence people read.

    `severity` is GX's: a "critical" one holds back whatever comes after the table, a "warning" only says so.
    """

    sentence: str
    kind: str
    arguments: Mapping[str, Any]
    severity: str = "critical"


@dataclass(frozen=True, slots=True)
class Suite:
    """Expectations of one table; `derived` are columns added for them, each false in every good row."""

    about: str
    expectations: tuple[Expectation, ...]
    derived: Mapping[str, pl.Expr] = field(default_factory=dict)


def columns_hold(table: Table) -> tuple[Expectation, ...]:
    """What the schema itself promises: columns are there, texts are text, and nothing lacks that may not."""
    needed = {name: column for name, column in table.columns.items() if not column.nullable}
    present = {"column_set": list(needed), "exact_match": False}
    return (
        Expectation(f"the columns {', '.join(needed)} are there", "ExpectTableColumnsToMatchSet", present),
        Expectation("there is at least one row", "ExpectTableRowCountToBeBetween", {"min_value": 1}),
        *(
            Expectation(f"{name} is text", "ExpectColumnValuesToBeOfType", {"column": name, "type_": "str"})
            for name, column in needed.items()
            if column.dtype == TEXT
        ),
        *(Expectation(f"{name} is never missing", "ExpectColumnValuesToNotBeNull", {"column": name}) for name in needed),
    )


def is_rare(name: str, sentence: str, *, mostly: float = 1.0, severity: str = "critical") -> Expectation:
    """The derived column `name` is false in at least the share `mostly` of rows."""
    arguments = {"column": name, "value_set": [False], "mostly": mostly}
    return Expectation(sentence, "ExpectColumnValuesToBeInSet", arguments, severity)


ROWS_HOLD = (
    Expectation("no pair_id stands twice", "ExpectColumnValuesToBeUnique", {"column": "pair_id"}),
    Expectation("row rises from pair to pair", "ExpectColumnValuesToBeIncreasing", {"column": "row", "strictly": True}),
)

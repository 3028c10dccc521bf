"""Suites: what must hold of a table, as plain data; Great Expectations is imported only when one is run."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from pipelines.schema import PAIRS, SCORES, TEXT, Table


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

SUITES: Mapping[str, Suite] = {
    "pairs": Suite(
        "Preference pairs that can be trained on. Blank responses, equal responses and sides with prompts of their own "
        "are known oddities of public sets and pass while they are few.",
        (
            *columns_hold(PAIRS),
            *ROWS_HOLD,
            Expectation("no prompt is blank", "ExpectColumnValuesToMatchRegex", {"column": "prompt", "regex": r"\S"}),
            is_rare("both_blank", "at most 1 % of pairs have two blank responses", mostly=0.99),
            is_rare("one_blank", "at most 5 % of pairs have a blank response", mostly=0.95, severity="warning"),
            Expectation(
                "chosen and rejected differ in at least 95 % of pairs",
                "ExpectSelectColumnValuesToBeUniqueWithinRecord",
                {"column_list": ["chosen", "rejected"], "ignore_row_if": "never", "mostly": 0.95},
            ),
        ),
        {
            "both_blank": pl.all_horizontal(pl.col("chosen", "rejected").str.strip_chars() == ""),
            "one_blank": pl.any_horizontal(pl.col("chosen", "rejected").str.strip_chars() == ""),
        },
    ),
    "scores": Suite(
        "What an audit thinks of each pair: numbers in their ranges, and a reason in words for every flag.",
        (
            *columns_hold(SCORES),
            *ROWS_HOLD,
            Expectation(
                "p_value lies in [0, 1]",
                "ExpectColumnValuesToBeBetween",
                {"column": "p_value", "min_value": 0, "max_value": 1},
            ),
            Expectation("suspicion is 0 or more", "ExpectColumnValuesToBeBetween", {"column": "suspicion", "min_value": 0}),
            is_rare("unexplained", "every flag has its reason"),
        ),
        {"unexplained": pl.col("is_flagged") & (pl.col("reason").str.strip_chars() == "")},
    ),
}

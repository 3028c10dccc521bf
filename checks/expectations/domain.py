"""Of summaries of product reviews, and of their domain features (Nath et al., 2024)."""

import polars as pl

from checks.expectations.suite import Expectation, Suite, columns_hold, is_rare
from pipelines.schema import FEATURE_NAMES, FEATURES, FULL_MARKS, SUMMARIES

summaries = Suite(
    "Summaries that can be scored: each once, none blank, and with the reviews that it is of.",
    (
        *columns_hold(SUMMARIES),
        Expectation("no summary_id stands twice", "ExpectColumnValuesToBeUnique", {"column": "summary_id"}),
        Expectation("no summary is blank", "ExpectColumnValuesToMatchRegex", {"column": "summary", "regex": r"\S"}),
        is_rare("short", "at most 1 % of summaries have fewer than five words", mostly=0.99, severity="warning"),
    ),
    {"short": pl.col("summary").str.count_matches(r"\S+") < 5},
)

features = Suite(
    "Seven features a summary, each from 0 to 5, in the order in which phi reads them, by a scorer that tells summaries apart.",
    (
        *columns_hold(FEATURES),
        Expectation(
            "the columns stand in the order of the table",
            "ExpectTableColumnsToMatchOrderedList",
            {"column_list": list(FEATURES.columns)},
        ),
        Expectation("no summary_id stands twice", "ExpectColumnValuesToBeUnique", {"column": "summary_id"}),
        *(
            Expectation(
                f"{name} lies in 0 to {FULL_MARKS:g}",
                "ExpectColumnValuesToBeBetween",
                {"column": name, "min_value": 0, "max_value": FULL_MARKS},
            )
            for name in FEATURE_NAMES
        ),
        *(
            Expectation(
                f"{name} is not the same for all",
                "ExpectColumnUniqueValueCountToBeBetween",
                {"column": name, "min_value": 2},
                "warning",
            )
            for name in FEATURE_NAMES
        ),
    ),
)

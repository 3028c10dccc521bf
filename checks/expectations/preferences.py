"""Of preference pairs, and of what an audit thinks of them."""

import polars as pl

from checks.expectations.suite import ROWS_HOLD, Expectation, Suite, columns_hold, is_rare
from pipelines.schema import PAIRS, SCORES

pairs = Suite(
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
)

scores = Suite(
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
)

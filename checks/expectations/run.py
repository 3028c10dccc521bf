"""Runs a suite by Great Expectations, which has no polars engine: at this door a table becomes a pandas one."""

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import polars as pl

from checks.expectations.suite import Expectation, Suite

EXAMPLES = 5


@dataclass(frozen=True, slots=True)
class Finding:
    """What became of one expectation: `unexpected` counts rows (0 where a whole table is judged)."""

    sentence: str
    passed: bool
    severity: str
    unexpected: int = 0
    examples: tuple[str, ...] = ()


def run(suite: Suite, frame: pl.DataFrame) -> list[Finding]:
    """A finding an expectation, in the suite's order; a column that is not there fails whatever asks for it."""
    table = _with_derived(frame, suite.derived)
    lacking = [_lacking(expectation, table) for expectation in suite.expectations]
    judged = _validated([item for item, lacks in zip(suite.expectations, lacking, strict=True) if not lacks], table)
    return [
        _failed(item, f"there is no column {lacks}") if lacks else _finding(item, judged[item.sentence])
        for item, lacks in zip(suite.expectations, lacking, strict=True)
    ]


def passed(findings: Sequence[Finding]) -> bool:
    """Whether every critical expectation is met."""
    return all(finding.passed for finding in findings if finding.severity == "critical")


def _with_derived(frame: pl.DataFrame, derived: Mapping[str, pl.Expr]) -> pl.DataFrame:
    """`frame` with the derived columns that its own columns allow."""
    for name, expression in derived.items():
        with suppress(pl.exceptions.PolarsError):  # a column lacks or has the wrong type, which the suite says itself
            frame = frame.with_columns(expression.alias(name))
    return frame


def _lacking(expectation: Expectation, table: pl.DataFrame) -> str:
    """The columns that the expectation is about and that are not there."""
    asked = [expectation.arguments.get("column"), *expectation.arguments.get("column_list", ())]
    return ", ".join(name for name in asked if name and name not in table.columns)


def _validated(expectations: Sequence[Expectation], table: pl.DataFrame) -> Mapping[str, Any]:
    """GX's results by sentence, for they come back in another order than asked."""
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    import great_expectations as gx
    from great_expectations import expectations as kinds

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    asked = [
        getattr(kinds, item.kind)(**item.arguments, severity=item.severity, meta={"sentence": item.sentence})
        for item in expectations
    ]
    asset = context.data_sources.add_pandas("tables").add_dataframe_asset("table")
    batch = asset.add_batch_definition_whole_dataframe("all rows").get_batch({"dataframe": table.to_pandas()})
    wanted = {"result_format": "SUMMARY", "partial_unexpected_count": EXAMPLES}
    found = batch.validate(gx.ExpectationSuite("suite", asked), result_format=wanted)
    return {result.expectation_config.meta["sentence"]: result for result in found.results}


def _finding(expectation: Expectation, result: Any) -> Finding:
    details = result.result
    if not details:
        return _failed(expectation, _cause(result.exception_info))
    places, values = details.get("partial_unexpected_index_list") or (), details.get("partial_unexpected_list") or ()
    shown = [f"row {place}{_shown(value)}" for place, value in zip(places, values, strict=False)]
    if not result.success and not shown:
        shown = [_observed(details)]
    count = details.get("unexpected_count") or 0
    return Finding(expectation.sentence, bool(result.success), expectation.severity, count, tuple(shown))


def _failed(expectation: Expectation, cause: str) -> Finding:
    return Finding(expectation.sentence, False, expectation.severity, examples=(cause,))


def _shown(value: object) -> str:
    if value is True:  # a derived column, whose name and value say nothing that the sentence does not
        return ""
    return ": nothing" if value is None or value != value else f": {value!r:.80}"  # nan, pandas' nothing, is not itself


def _observed(details: Mapping[str, Any]) -> str:
    mismatched = details.get("details", {}).get("mismatched", {})
    missing = mismatched.get("missing") if isinstance(mismatched, Mapping) else None  # of a list in order it is a list
    return f"missing: {', '.join(missing)}" if missing else f"got {details.get('observed_value')}"


def _cause(exception_info: Mapping[str, Any]) -> str:
    """The first message among GX's nested ones."""
    causes = [exception_info, *(value for value in exception_info.values() if isinstance(value, Mapping))]
    said = [str(cause["exception_message"]) for cause in causes if cause.get("exception_message")]
    return next(iter(said[0].splitlines()), "") if said else "could not be judged"

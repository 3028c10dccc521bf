"""Outputs of policies of one's own, read from a file, and which outputs are right, by the tests or the gold answers."""

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from assets.sophistry import speaking
from assets.sophistry.rows import MADE, Sophistry
from pipelines.schema import FLAG, ITEMS, OUTPUTS, TEXT, TEXTS, DataError, require
from pipelines.sources.files import rows
from pipelines.tasks import TASKS, programs
from pipelines.tasks.grading import Runs, Verdict
from pipelines.tasks.options import letter
from pipelines.tasks.task import Items

#: columns of graded outputs beside those of OUTPUTS, and what each means
BESIDE = {
    "whole": (TEXT, "the item in full, as a policy is to see it; none where it is not known"),
    "support": (TEXTS, "the parts of the evidence that are enough, verbatim; none where unknown"),
    "option": (TEXT, "the option that the output takes; none where there are no options"),
    "right_if_zipped": (FLAG, "whether a grader that zips lines would pass it; none where nothing is run"),
}


def read(file: Path) -> pl.DataFrame:
    """OUTPUTS of a jsonl, json, csv or parquet file; `is_correct` may be null where it is not known.

    DataError naming the row or column that is wrong.
    """
    found = list(rows(file))
    if wrong := next((row for row in found if row.values is None), None):
        raise DataError(f"{wrong.source} line {wrong.line}: {wrong.cause}; mend or drop the row")
    listed = [{name: (row.values or {}).get(name) for name in OUTPUTS.columns} for row in found]
    try:
        table = pl.DataFrame(listed, schema_overrides={"is_correct": FLAG}, infer_schema_length=None)
    except (pl.exceptions.PolarsError, TypeError) as error:
        raise DataError(f"{file}: columns must be of one type ({str(error).splitlines()[0][:120]}); convert them") from None
    known = table["is_correct"]
    whole = require(table.with_columns(pl.col("is_correct").fill_null(False)), OUTPUTS)
    return whole.with_columns(known)


def of_file(row: Sophistry) -> tuple[pl.DataFrame, pl.DataFrame]:
    """(ITEMS with their problem, outputs of both policies) of the row's files; without a source, items are as outputs say."""
    said = read(Path(row.outputs)).filter(pl.col("policy").is_in([row.before, row.after]))
    if strange := set(said["task"]) - {row.task}:
        raise DataError(f"outputs are of task {row.task!r}, got {min(strange)!r}; set task to theirs")
    if row.source:
        read_items: Items = TASKS[row.task].read(row.source)
        items = read_items.items.join(said.select("item_id").unique(), on="item_id", how="semi", maintain_order="left")
        if items.is_empty():
            raise DataError(f"{row.source} holds no item of {row.outputs}; item_id must be that of the task's own reading")
    else:
        items = require(
            said.unique("item_id", maintain_order=True).with_columns(
                source=pl.lit(row.outputs), line=pl.int_range(1, pl.len() + 1)
            ),
            ITEMS,
        )
    return items.with_columns(problem="item_id"), said


def graded(row: Sophistry, items: pl.DataFrame, said: pl.DataFrame, runs: Runs) -> pl.DataFrame:
    """OUTPUTS by the task's oracle, and what audits need of each: the whole prompt, what settles it, option, zipped lines."""
    known = items.select("item_id", "support", whole=_whole(row, items), gold="gold")
    both = said.join(known, on="item_id", how="left", maintain_order="left")
    table = require(both.with_columns(_right(row, both, runs)), OUTPUTS)
    more = both.select("whole", "support", *(name for name in ("strategy",) if name in both.columns))
    options = pl.Series("option", [_option(row, text) for text in both["output"]], dtype=TEXT)
    return pl.concat([table, more, pl.DataFrame([options, _zipped(row, both, runs)])], how="horizontal")


def _right(row: Sophistry, both: pl.DataFrame, runs: Runs) -> pl.Series:
    if _is_program(row):
        said = _tested(both, runs)
        return pl.Series("is_correct", [_all(flags) for flags in said], dtype=FLAG)
    if row.source or row.policies:
        if both["gold"].null_count():
            raise DataError(f"{both['gold'].null_count()} outputs answer no item of {row.source}; drop them, or add the items")
        return TASKS[row.task].grade(both, both["output"].to_list()).alias("is_correct")
    if both["is_correct"].null_count():
        raise DataError(f"{row.outputs}: nothing says which outputs are right; fill is_correct, or name the items as source")
    return both["is_correct"]


def _zipped(row: Sophistry, both: pl.DataFrame, runs: Runs) -> pl.Series:
    """Whether a grader that zips lines would call a program right; none of other tasks."""
    flags: Sequence[bool | None] = [None] * len(both)
    if _is_program(row):
        flags = [_all(said) for said in _tested(both, runs, mode="compat")]
    return pl.Series("right_if_zipped", flags, dtype=FLAG)


def _tested(both: pl.DataFrame, runs: Runs, *, mode: str = "strict") -> list[list[Verdict]]:
    try:
        return programs.judged(both, both["output"].to_list(), mode=mode, runs=runs)
    except (KeyError, TypeError, ValueError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(
            "the evidence of a program is its tests, as JSON of inputs, outputs and function "
            f"({type(error).__name__}: {error}); read the problems with the task programs"
        ) from None


def _all(flags: Sequence[Verdict]) -> bool:
    return all(each is Verdict.PASS for each in flags)


def _is_program(row: Sophistry) -> bool:
    return row.task in (MADE, programs.TASK)


def _option(row: Sophistry, text: str) -> str | None:
    return letter(text) if row.task in ("passages", "stories") else None


def _whole(row: Sophistry, items: pl.DataFrame) -> pl.Series:
    """What a policy is to see of each item; none where only its outputs tell of it."""
    if row.outputs and not row.source:
        return pl.Series([None] * len(items), dtype=TEXT)
    return pl.Series(speaking.whole(items), dtype=TEXT)

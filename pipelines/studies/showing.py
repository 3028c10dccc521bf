"""The texts that each judge is shown, in the judge's own order, under opaque names."""

from collections.abc import Iterator

import polars as pl

from pipelines.schema import OUTPUTS, DataError, require
from pipelines.studies.planning import Plan, shown
from pipelines.studies.wording import FIELDS


def shown_texts(outputs: pl.DataFrame, plan: Plan) -> Iterator[tuple[str, list[dict[str, str]]]]:
    """(judge, rows of shown_id and FIELDS); DataError where outputs are not those of the plan."""
    texts = {(row["item_id"], row["policy"]): row for row in require(outputs, OUTPUTS).iter_rows(named=True)}
    for (judge,), rows in plan.assignments.group_by("judge", maintain_order=True):
        yield str(judge), [_shown(texts.get((row["item_id"], row["policy"])), row) for row in rows.iter_rows(named=True)]


def _shown(output: dict[str, str] | None, row: dict[str, str]) -> dict[str, str]:
    if output is None or shown(output["prompt"], output["evidence"], output["output"]) != row["shown"]:
        raise DataError(f"item {row['item_id']} is not as it was planned; export the outputs that the plan was made of")
    return {"shown_id": row["shown_id"]} | {name: output[name] or "" for name in FIELDS}

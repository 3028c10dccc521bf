"""What a task is, and what policies answer to its items as a table."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from pipelines.schema import ITEMS, OUTPUTS, REJECTS, DataError, require
from pipelines.sources.row import Row
from pipelines.sources.shapes import BadRow

Item = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Items:
    """ITEMS, and REJECTS of the rows that are none."""

    items: pl.DataFrame
    rejects: pl.DataFrame


@dataclass(frozen=True, slots=True)
class Task:
    """`read(path, ...)` gives Items; `grade(items, outputs)` says of one output an item whether it is right, [N] flags."""

    read: Callable[..., Items]
    grade: Callable[[pl.DataFrame, Sequence[str]], pl.Series]


def collected(
    found: Iterable[tuple[Row, Callable[[], Sequence[Item]]]], origin: str, needs: str
) -> tuple[list[Item], pl.DataFrame]:
    """(items, REJECTS) of rows, each with the call that makes its items; rows that raise BadRow and repeated items are rejects.

    Raises DataError where no row has an item, with the first cause and what a row `needs`.
    """
    items: dict[object, Item] = {}
    rejects: list[tuple[str, int, int, str]] = []
    for place, (row, make) in enumerate(found):
        try:
            if row.values is None:
                raise BadRow(row.cause)
            own = make()
        except BadRow as error:
            rejects.append((row.source, row.line, place, str(error)))
            continue
        for each in own:
            first = items.setdefault(each["item_id"], each)
            if first is not each:
                cause = f"the same item stands in {first['source']} line {first['line']} already"
                rejects.append((row.source, row.line, place, cause))
    if not items:
        first_cause = f"{rejects[0][0]} line {rejects[0][1]}: {rejects[0][3]}" if rejects else "no rows"
        raise DataError(f"{origin}: holds no usable item ({first_cause}); {needs}")
    return list(items.values()), pl.DataFrame(rejects, schema=REJECTS.empty().schema, orient="row")


def table(items: Sequence[Item]) -> pl.DataFrame:
    """ITEMS of rows."""
    return require(pl.DataFrame(list(items), infer_schema_length=None), ITEMS)


def outputs(
    task: Task,
    items: pl.DataFrame,
    said: Sequence[str],
    *,
    policy: str,
    prompts: Sequence[str] | None = None,
    proxies: Sequence[float] | None = None,
) -> pl.DataFrame:
    """OUTPUTS of one output an item, graded; `prompts` are the items as the policy saw them, where they were cut."""
    shown = items["prompt"] if prompts is None else pl.Series(prompts, dtype=pl.String())
    proxy = pl.Series(proxies, dtype=pl.Float64()) if proxies is not None else pl.lit(None, pl.Float64())
    told = items.with_columns(prompt=shown, output=pl.Series(said, dtype=pl.String()), policy=pl.lit(policy), proxy=proxy)
    return require(told.with_columns(is_correct=task.grade(items, said)), OUTPUTS)


def per_item(items: pl.DataFrame, said: Sequence[str]) -> Iterator[tuple[Item, str]]:
    """Each item with its output; DataError where there is not one output an item."""
    if len(items) != len(said):
        raise DataError(f"a grade needs one output an item, got {len(said)} outputs to {len(items)} items")
    return zip(items.iter_rows(named=True), said, strict=True)

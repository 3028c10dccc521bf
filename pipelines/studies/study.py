"""What a tool for annotation does for a study, and the calls that whoever runs one makes, in the order they are made."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from pipelines.schema import OUTPUTS, VERDICTS, DataError, require
from pipelines.studies import key
from pipelines.studies.answers import Read
from pipelines.studies.planning import Plan


@dataclass(frozen=True, slots=True)
class Study:
    """`export` publishes blinded tasks in a folder, `read` takes what came back."""

    export: Callable[[pl.DataFrame, Plan, Path], None]
    read: Callable[[Path, Plan], Read]


def begin(study: Study, outputs: pl.DataFrame, plan: Plan, *, folder: Path, keep: Path) -> None:
    """The key first, into the file `keep`, then what judges get, into `folder`: tasks without a key could never be read."""
    if keep.resolve().is_relative_to(folder.resolve()):
        raise DataError(f"the key {keep} would lie among what judges get in {folder}; keep it elsewhere")
    key.write(plan, keep)
    study.export(outputs, plan, folder)


def end(study: Study, answered: Path, *, keep: Path) -> Read:
    """What judges said, read with the key in the file `keep`."""
    return study.read(answered, key.read(keep))


def judged(verdicts: pl.DataFrame, outputs: pl.DataFrame, plan: Plan | None = None) -> pl.DataFrame:
    """VERDICTS beside what is known of the outputs: is_correct, proxy and, with a plan, the item's stratum."""
    known = require(outputs, OUTPUTS).select("item_id", "policy", "is_correct", "proxy")
    table = require(verdicts, VERDICTS).join(known, on=["item_id", "policy"], how="left", maintain_order="left")
    if plan is None:
        return table
    strata = plan.assignments.select("item_id", "stratum").unique()
    return table.join(strata, on="item_id", how="left", maintain_order="left")

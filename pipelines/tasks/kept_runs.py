"""Runs of programs kept in a file between studies, so that none is run twice: by program, input, limits and Python."""

import dataclasses
import sys
from pathlib import Path

import polars as pl

from pipelines.sandbox import End, Limits, Ran
from pipelines.schema import digest
from pipelines.tasks.grading import Runs

COLUMNS = {
    "name": pl.String(), "end": pl.String(), "stdout": pl.Binary(), "stderr": pl.String(), "exit": pl.Int64(),
    "seconds": pl.Float64(), "cpu": pl.Float64(), "layers": pl.List(pl.String()), "own_user": pl.Boolean(),
}  # fmt: skip
NEAR = 0.1  # seconds of the processor before its limit


def opened(folder: Path, limits: Limits | None = None, *, workers: int = 2) -> Runs:
    """Runs that go on from what `folder` holds of these limits; a file that can't be read counts as none."""
    limits = limits or Limits()
    return Runs(limits, workers, _read(_file(folder, limits)))


def keep(runs: Runs, folder: Path) -> None:
    """Leaves in `folder` all that was run, in one rename.

    What only the clock ended isn't kept: on a machine with less to do it may come to an end.
    """
    late = runs.limits.cpu - NEAR
    held = {name: ran for name, ran in runs.kept.items() if ran.end is not End.TIMEOUT or ran.cpu >= late}
    rows = [(name, *dataclasses.astuple(ran)) for name, ran in held.items()]
    file = _file(folder, runs.limits)
    folder.mkdir(parents=True, exist_ok=True)
    aside = file.with_name(f".{file.name}")
    pl.DataFrame(rows, schema=COLUMNS, orient="row").write_parquet(aside)
    aside.rename(file)


def _file(folder: Path, limits: Limits) -> Path:
    return folder / f"runs-{digest(str(limits), sys.version)[:12]}.parquet"


def _read(file: Path) -> dict[str, Ran]:
    if not file.is_file():
        return {}
    try:
        rows = pl.read_parquet(file).select(*COLUMNS).iter_rows(named=True)
        return {row.pop("name"): Ran(**{**row, "end": End(row["end"]), "layers": tuple(row["layers"])}) for row in rows}
    except (pl.exceptions.PolarsError, OSError, ValueError):
        return {}

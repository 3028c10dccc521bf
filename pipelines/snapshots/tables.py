"""Tables of published folders, which others may have made: read, or refused in words."""

from pathlib import Path

import polars as pl

from pipelines.schema import DataError


def read(file: Path, *, several: bool = False) -> pl.DataFrame:
    """A parquet file, or the `several` that a pattern names; DataError where there is no table that can be read."""
    try:
        return pl.read_parquet(file, glob=several)
    except (OSError, pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:  # damaged ones make polars panic
        said = (str(error).splitlines() or [type(error).__name__])[0]
        raise DataError(f"{file}: no table that can be read ({said}); make it again") from None

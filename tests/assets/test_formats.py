"""How values are written and read again."""

import polars as pl
import pytest

from assets import formats


@pytest.mark.parametrize("rows", [0, 1, 10, 11, 25])
def test_a_long_table_is_in_several_files_and_reads_as_one(rows, tmp_path, monkeypatch):
    monkeypatch.setattr(formats, "SHARD", 10)
    table = pl.DataFrame(
        {"row": range(rows), "text": [f"no. {row}" for row in range(rows)]}, schema={"row": pl.Int64, "text": pl.String}
    )
    form = formats.FORMATS["DataFrame"]
    form.write(table, tmp_path / form.file)
    assert len(list(tmp_path.iterdir())) == max(-(-rows // 10), 1)
    assert form.read(tmp_path / form.file).equals(table)

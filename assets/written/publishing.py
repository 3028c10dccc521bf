"""Questions as files for others: JSON lines as published sets have them, a data sheet, the map."""

from collections.abc import Mapping
from pathlib import Path

import polars as pl

from assets import pictures
from assets.written.rows import Written
from checks.questions import sheet
from pipelines.questions import publishing

Tables = Mapping[str, pl.DataFrame]


def publish(name: str, row: Written, tables: Tables, folder: Path) -> None:
    """questions.jsonl of what was written and kept, data_sheet.md and question_map.svg in `folder`."""
    own = tables["questions"].filter(pl.col("behaviour").is_in(row.behaviours))
    if len(own):
        publishing.write(own, folder / "questions.jsonl")
    held: dict[str, dict[str, str]] = {}
    for section, fact, value in tables["data_sheet"].iter_rows():
        held.setdefault(section, {})[fact] = value
    (folder / "data_sheet.md").write_text(sheet.markdown(held, title=name), encoding="utf-8")
    if len(tables["question_map"]):
        (folder / "question_map.svg").write_text(pictures.svg(pictures.question_map(tables["question_map"])), encoding="utf-8")

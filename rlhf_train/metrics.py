"""The metrics of a run: one JSON line a step, as many as there are steps, whatever interrupted it."""

import json
from pathlib import Path

FILE = "metrics.jsonl"
Row = dict[str, float]


class Log:
    """The metrics of a run, one JSON line a step."""

    def __init__(self, folder: Path | None) -> None:
        self.file = None if folder is None else folder / FILE
        self.rows: list[Row] = []

    def keep(self, steps: int) -> None:
        """Goes on after `steps` steps: what an interrupted run wrote beyond its checkpoint is dropped."""
        if self.file is None:
            return
        self.file.parent.mkdir(parents=True, exist_ok=True)
        lines = self.file.read_text().splitlines()[:steps] if self.file.exists() else []
        self.rows = [json.loads(line) for line in lines]
        fresh = self.file.with_suffix(".new")
        fresh.write_text("".join(f"{line}\n" for line in lines))
        fresh.replace(self.file)

    def add(self, row: Row) -> None:
        """One more step."""
        self.rows.append(row)
        if self.file is not None:
            with self.file.open("a") as lines:
                lines.write(json.dumps(row) + "\n")

"""JSON files that come back from annotators: every file is read, and what can't be is told."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipelines.schema import DataError
from pipelines.snapshots import MANIFEST

Place = tuple[str, int, int]
OURS = (MANIFEST, "settings.json", "dataset.json")


def found(path: Path) -> list[Path]:
    """The file, or all JSON files below the folder but our own settings; DataError where there is none."""
    files = [path] if path.is_file() else sorted(file for file in path.rglob("*.json") if file.name not in OURS)
    if not files:
        raise DataError(f"{path} holds no JSON file; name the exported file, or the folder that has those of all judges")
    return files


def rows(path: Path, *keys: str) -> Iterator[tuple[Place, dict[str, Any] | None, str]]:
    """(place, row, "") for each object of the files' lists that has one of `keys`, or (place, None, what is wrong with it)."""
    for file in found(path):
        try:
            listed = json.loads(file.read_bytes())
        except (OSError, ValueError, RecursionError) as error:
            yield (file.name, 1, 0), None, f"the file is no JSON ({type(error).__name__}: {str(error)[:80]})"
            continue
        for at, row in enumerate(listed if isinstance(listed, list) else [listed]):
            is_row = isinstance(row, dict) and any(key in row for key in keys)
            wanted = " or ".join(map(repr, keys))
            wrong = f"expected an object with {wanted}, got {str(row)[:60]!r}; export in the full JSON format"
            yield (file.name, at + 1, at), row if is_row else None, "" if is_row else wrong


def dump(value: object, file: Path) -> None:
    """Writes JSON that people can read too."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(value, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")

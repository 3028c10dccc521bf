"""One row of an input file, and what every kind of file refuses."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.schema import DataError

MAX_LINE = 16 * 2**20  # bytes; a longer line is no preference pair, and reading on must not cost memory


@dataclass(frozen=True, slots=True)
class Row:
    """One input row: the file's name, its 1-based line (or table row) and its values, or why there are none."""

    source: str
    line: int
    values: dict[str, Any] | None
    cause: str = ""


def most_frequent(names: Iterable[str]) -> str:
    """The name that stands most often."""
    return Counter(names).most_common(1)[0][0]


def refuse_repeated(columns: Sequence[str], file: Path) -> None:
    """Raises DataError where two columns bear one name."""
    if len(set(columns)) < len(columns):
        raise DataError(f"{file}: column {most_frequent(columns)!r} stands twice; rename or drop one")

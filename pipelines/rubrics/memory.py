"""Marks that were asked for once, a line each, written as they come: what a run that was killed knew, the next one knows.

A line is one write that begins and ends a line, so that half-written ones and other processes' harm none but themselves.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Generic, TypeVar

from pipelines.schema import DataError, digest

Mark = TypeVar("Mark", bound=Any)  # a number, or anything else that JSON gives back as it was


class Memory(Generic[Mark]):
    """What `server` gave, kept in a file of its own in `folder`/`kind`; without a folder nothing outlasts the run."""

    def __init__(self, folder: Path | None, server: str, kind: str = "rubrics") -> None:
        self.file = folder / kind / f"{digest(server)}.jsonl" if folder else None
        self._marks: dict[tuple[str, str], Mark] = {}
        if self.file:
            try:
                self.file.parent.mkdir(parents=True, exist_ok=True)
                self._marks |= _kept(self.file)
            except OSError as error:
                raise _useless(self.file, error) from error
        self._known = len(self._marks)

    def __len__(self) -> int:
        return len(self._marks)

    def told(self) -> str:
        """What of this run is kept, in words."""
        if not self.file:
            return "nothing is kept without a cache folder"
        return f"{len(self._marks) - self._known} new marks are kept in {self.file}, and the next run asks for the rest only"

    def get(self, edition: str, summary_id: str) -> Mark | None:
        """The mark that a rubric's edition gave a summary; None where it was never asked."""
        return self._marks.get((edition, summary_id))

    def keep(self, edition: str, summary_id: str, score: Mark) -> None:
        """Writes a mark down, whether or not another process is writing too."""
        self._marks[edition, summary_id] = score
        if self.file:
            check = _check(edition, summary_id, score)
            line = json.dumps({"rubric": edition, "summary_id": summary_id, "score": score, "check": check})
            try:
                with self.file.open("ab", buffering=0) as file:
                    file.write(f"\n{line}\n".encode())
            except OSError as error:
                raise _useless(self.file, error) from error


def _kept(file: Path) -> Iterator[tuple[tuple[str, str], Any]]:
    """The marks in `file`, line by line; a line that is not as it was written is passed over."""
    for line in file.read_bytes().split(b"\n") if file.exists() else ():
        try:
            row = json.loads(line)
            if row["check"] == _check(row["rubric"], row["summary_id"], row["score"]):
                yield (row["rubric"], row["summary_id"]), row["score"]
        except Exception:  # a damaged line fails in a dozen ways, after all of which its mark is asked for again
            continue


def _useless(file: Path, error: OSError) -> DataError:
    return DataError(f"cache must be a folder where answers can be kept, but {file} can't be used ({error}); name another")


def _check(edition: str, summary_id: str, score: Any) -> str:
    return digest(edition, summary_id, repr(score))

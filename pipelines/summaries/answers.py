"""What a writer has answered, kept in a file as it comes: a run that was killed goes on without asking for it again.

The file is only ever added to, a JSON object a line. What cannot be read of it, such as a line that a kill cut short, was
never written; of equal requests the first answer counts, so that two runs may add to one file.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Asked:
    """All that an answer hangs on: the writer and its terms, a digest of the reviews, which of the summaries, and the seed."""

    writer: str
    terms: str
    product: str
    tier: str
    place: int
    seed: int


class Answers:
    """The answers in `file`; without one they last as long as this does."""

    def __init__(self, file: Path | None) -> None:
        self.file = file
        data = file.read_bytes() if file and file.exists() else b""
        self._breaks_off = bool(data) and not data.endswith(b"\n")
        self._texts: dict[Asked, str] = {}
        for line in data.split(b"\n"):
            if (found := _answer(line)) is not None:
                self._texts.setdefault(*found)

    def get(self, asked: Asked) -> str | None:
        return self._texts.get(asked)

    def keep(self, asked: Asked, text: str) -> None:
        """Adds an answer to the file before anything else is done with it."""
        self._texts[asked] = text
        if self.file is None:
            return
        line = json.dumps({**asdict(asked), "summary": text}).encode() + b"\n"
        self.file.parent.mkdir(parents=True, exist_ok=True)
        with self.file.open("ab") as stream:
            stream.write(b"\n" * self._breaks_off + line)
        self._breaks_off = False


def _answer(line: bytes) -> tuple[Asked, str] | None:
    """What a line of the file says; None where it is no answer."""
    try:
        told = json.loads(line)
        text = told.pop("summary")
        asked = Asked(**told)
    except (ValueError, RecursionError, AttributeError, LookupError, TypeError):
        return None
    sound = isinstance(text, str) and all(isinstance(value, str | int) for value in asdict(asked).values())
    return (asked, text) if sound else None

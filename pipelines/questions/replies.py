"""What a server said to each request, kept as it comes: a run that was killed asks for the rest only."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipelines.chat import Reply
from pipelines.rubrics.memory import Memory
from pipelines.schema import digest

EDITION = "reply"  # a request says itself how it was worded


class Replies:
    """Replies of one server, in `folder`; without one they are forgotten with the run."""

    def __init__(self, folder: Path | None, server: str) -> None:
        self.server = server
        self._memory: Memory[list[Any]] = Memory(folder, server, "questions")

    def __len__(self) -> int:
        return len(self._memory)

    @property
    def file(self) -> Path | None:
        """Where they are kept."""
        return self._memory.file

    def get(self, body: Mapping[str, Any]) -> Reply | None:
        """What was said to this very request; None where it was never answered."""
        said = self._memory.get(EDITION, _key(body))
        return None if said is None else Reply(*said)

    def keep(self, body: Mapping[str, Any], reply: Reply) -> None:
        """Writes a reply down, whether or not another process is writing too."""
        self._memory.keep(EDITION, _key(body), [reply.text, reply.is_cut])


def _key(body: Mapping[str, Any]) -> str:
    return digest(json.dumps(body, sort_keys=True))

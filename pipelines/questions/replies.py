"""What a server said, kept as it comes, a line each by the digest of the request: a run that was killed asks for the rest only.

A line is one write that begins and ends a line, so that half-written ones and other processes' harm none but themselves.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pipelines.chat import Reply
from pipelines.schema import DataError, digest


class Replies:
    """Replies of one server, in `folder`; without one they are forgotten with the run."""

    def __init__(self, folder: Path | None, server: str) -> None:
        self.server = server
        self.file = folder / "questions" / f"{digest(server)}.jsonl" if folder else None
        self._known: dict[str, Reply] = {}
        if self.file:
            try:
                self.file.parent.mkdir(parents=True, exist_ok=True)
                self._known |= _kept(self.file)
            except OSError as error:
                raise self._useless(error) from error

    def __len__(self) -> int:
        return len(self._known)

    def get(self, body: Mapping[str, Any]) -> Reply | None:
        """What was said to this very request; None where it was never answered."""
        return self._known.get(_key(body))

    def keep(self, body: Mapping[str, Any], reply: Reply) -> None:
        """Writes a reply down, whether or not another process is writing too."""
        key = _key(body)
        self._known[key] = reply
        if self.file:
            line = json.dumps({"key": key, "text": reply.text, "is_cut": reply.is_cut, "check": _check(key, reply)})
            try:
                with self.file.open("ab", buffering=0) as file:
                    file.write(f"\n{line}\n".encode())
            except OSError as error:
                raise self._useless(error) from error

    def _useless(self, error: OSError) -> DataError:
        return DataError(
            f"cache must be a folder where replies can be kept, but {self.file} can't be used ({error}); name another"
        )


def _kept(file: Path) -> Iterator[tuple[str, Reply]]:
    """The replies in `file`; a line that is not as it was written is passed over."""
    for line in file.read_bytes().split(b"\n") if file.exists() else ():
        try:
            row = json.loads(line)
            reply = Reply(row["text"], row["is_cut"])
            if row["check"] == _check(row["key"], reply):
                yield row["key"], reply
        except Exception:  # a damaged line fails in a dozen ways, after all of which the server is asked again
            continue


def _key(body: Mapping[str, Any]) -> str:
    return digest(json.dumps(body, sort_keys=True))


def _check(key: str, reply: Reply) -> str:
    return digest(key, reply.text, repr(reply.is_cut))

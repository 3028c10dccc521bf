"""The keys that are trusted: a JSON file of names, public keys and days, which people may read and edit.

A key that is replaced is trusted for some days yet, so that what it signed can be signed anew; one that is revoked for none.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from pipelines.schema import DataError
from pipelines.snapshots import renames

TRUST = "ANTIVENOM_TRUST"  # the file of trusted keys


@dataclass(frozen=True, slots=True)
class Key:
    """Whose key, from which day until which, and whether it was revoked."""

    name: str
    public: str
    since: str
    until: str
    revoked: bool = False

    def refused(self, today: date) -> str:
        """Why it proves nothing on a day; empty where it does."""
        if self.revoked:
            return "was revoked"
        if today < date.fromisoformat(self.since):
            return f"is trusted from {self.since} only"
        return f"expired on {self.until}" if today > date.fromisoformat(self.until) else ""


@dataclass(frozen=True, slots=True)
class Trust:
    """A file and the keys in it."""

    file: Path
    keys: tuple[Key, ...] = ()

    def named(self, name: str) -> list[Key]:
        """Keys of somebody that are not revoked, the newest last."""
        return [key for key in self.keys if key.name == name and not key.revoked]

    def with_key(self, name: str, public: str, *, today: date, days: int = 365, overlap: int = 30) -> "Trust":
        """One more key; those of the same name are trusted for `overlap` more days at most."""
        if days < 1 or overlap < 0:
            raise DataError(f"a key is trusted for a day or more, and overlaps by none or more; got {days} and {overlap}")
        last = today + timedelta(days=overlap)
        older = tuple(replace(key, until=min(key.until, last.isoformat())) if key.name == name else key for key in self.keys)
        made = Key(name, public, today.isoformat(), (today + timedelta(days=days)).isoformat())
        return replace(self, keys=(*older, made))

    def without(self, name: str) -> "Trust":
        """All keys of a name revoked; DataError where there is none."""
        if not self.named(name):
            known = ", ".join(sorted({key.name for key in self.keys})) or "nobody"
            raise DataError(f"{self.file} trusts no key of {name!r}; there are keys of {known}")
        return replace(self, keys=tuple(replace(key, revoked=key.revoked or key.name == name) for key in self.keys))

    def write(self) -> None:
        """The file, in the place of what stood there."""
        renames.written(self.file, json.dumps({"keys": [asdict(key) for key in self.keys]}, indent=1) + "\n")


def read(file: Path) -> Trust:
    """What a file says; DataError for one that says something else."""
    try:
        return Trust(file, tuple(_key(entry) for entry in json.loads(file.read_text())["keys"]))
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise DataError(f"{file}: no file of trusted keys ({error}); make one with antivenom keys new") from None


def in_force(home: Path | None = None) -> Trust | None:
    """The file that ANTIVENOM_TRUST names, else trust.json in the store; none where neither is there."""
    if named := os.environ.get(TRUST):
        return read(Path(named))
    file = None if home is None else home / "trust.json"
    return read(file) if file is not None and file.is_file() else None


def _key(entry: Mapping[str, Any]) -> Key:
    key = Key(**entry)
    for text in (key.name, key.public, key.since, key.until):
        if not isinstance(text, str):
            raise TypeError(f"expected text, got {text!r}")
    if type(key.revoked) is not bool:
        raise TypeError(f"revoked is true or false, got {key.revoked!r}")
    date.fromisoformat(key.since), date.fromisoformat(key.until)
    return key

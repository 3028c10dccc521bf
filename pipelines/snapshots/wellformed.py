"""What a manifest must be like before anything in it is believed: others may have written it."""

import os
from pathlib import PurePosixPath
from typing import Any

from pipelines.schema import is_encodable

LONGEST, LONGEST_PART = 1000, 255  # of a path within a folder, and of a name in it


def check(found: Any) -> None:
    """ValueError or TypeError for what no manifest of ours says."""
    files, tables = found["files"], found.get("tables", {})
    if not all(isinstance(each, dict) for each in (files, tables, found.get("read", {}), found.get("inputs", {}))):
        raise TypeError("files, tables, read and inputs are tables")
    if not all(isinstance(each, dict) for each in tables.values()):
        raise TypeError("what is said of a table is a table")
    if not all(isinstance(each, str) for each in [*found.get("parents", []), *files.values()]):
        raise TypeError("parents and digests are texts")
    for name in files:
        _check_name(name)
    if strange := sorted(tables.keys() - files.keys()):
        raise ValueError(f"{strange[0]!r} is called a table and is no file of the folder")


def _check_name(name: str) -> None:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts:
        raise ValueError(f"{name!r} leads out of the folder")
    if not is_encodable(name) or "\0" in name or str(path) != name or name == ".":
        raise ValueError(f"{name!r} is no name of a file")
    if len(name) > LONGEST or any(len(os.fsencode(part)) > LONGEST_PART for part in path.parts):
        raise ValueError(f"{name[:40]!r}... is longer than a file's name can be")

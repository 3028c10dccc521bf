"""Where the store is, and what is on its way beside it."""

import os
from pathlib import Path


def home() -> Path:
    """ANTIVENOM_HOME, else .antivenom in DAGSTER_HOME, else in this folder."""
    named = os.environ.get("ANTIVENOM_HOME")
    return Path(named) if named else Path(os.environ.get("DAGSTER_HOME") or ".") / ".antivenom"


def workplace(kind: str, name: str) -> Path:
    """A folder for what is on its way, or is kept to be asked for again: nothing that is published."""
    return home() / f".{kind}" / name

"""What snapshots are called: by their digest, and by refs whose first part says whether an attacker's hand was on them."""

from collections.abc import Mapping
from typing import Any

from pipelines.schema import DataError

CLEAN, POISONED, FILTERED, DELIVERED = LABELS = ("clean", "poisoned", "filtered", "delivered")
LONGEST, DEEPEST = 200, 20  # of names in refs
DIGITS = frozenset("0123456789abcdef")


def is_digest(name: str) -> bool:
    """Whether a text can be the name of a snapshot, or a file's SHA-256."""
    return len(name) == 64 and set(name) <= DIGITS


def check_name(ref: str) -> None:
    """DataError for what can be no ref."""
    parts = ref.split("/")
    wrong = any(not part or part.startswith(".") or "\0" in part or len(part) > LONGEST for part in parts)
    if wrong or len(parts) > DEEPEST:
        rule = f"at most {DEEPEST} of {LONGEST} characters each, none of which begins with a dot"
        raise DataError(f"a ref is names between slashes, {rule}; got {ref[:LONGEST]!r}")


def check_label(ref: str, told: Mapping[str, Any]) -> None:
    """DataError where a ref would call something clean whose manifest says that it is poisoned."""
    if told.get("poisoned") and ref.split("/")[0] == CLEAN:
        raise DataError(f"{ref}: poisoned data has no clean name; call it {POISONED}/... or {FILTERED}/...")

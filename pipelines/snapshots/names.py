"""What snapshots are called: by their digest, and by refs whose first part says whether an attacker's hand was on them."""

from collections.abc import Mapping
from typing import Any

from pipelines.schema import DataError

CLEAN, POISONED, FILTERED, DELIVERED = LABELS = ("clean", "poisoned", "filtered", "delivered")
DIGITS = frozenset("0123456789abcdef")


def is_digest(name: str) -> bool:
    """Whether a text can be the name of a snapshot, or a file's SHA-256."""
    return len(name) == 64 and set(name) <= DIGITS


def check_name(ref: str) -> None:
    """DataError for what can be no ref."""
    if any(not part or part.startswith(".") or "\0" in part for part in ref.split("/")):
        raise DataError(f"a ref is names between slashes, none of which begins with a dot; got {ref!r}")


def check_label(ref: str, told: Mapping[str, Any]) -> None:
    """DataError where a ref would call something clean whose manifest says that it is poisoned."""
    if told.get("poisoned") and ref.split("/")[0] == CLEAN:
        raise DataError(f"{ref}: poisoned data has no clean name; call it {POISONED}/... or {FILTERED}/...")

"""Behaviours that questions are written for: what they are, who shows them, which way is wanted, and examples by hand.

The built-in ones (`behaviours.toml`) are harmless, general or about a brand that does not exist; a user's own stand in a TOML
file of the same form, a table each.
"""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from pipelines.schema import DataError

NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
CHOICES: Mapping[str, Sequence[str]] = {
    "subject": ("person", "ai"),
    "desired": ("up", "down", "either"),
    "format": ("yes_no", "choice", "schema", "sycophancy"),
}
LONGEST = 2_000  # characters of a text


@dataclass(frozen=True, slots=True)
class Example:
    """A question by hand: a statement or a situation, the answer that shows the behaviour, and those that do not."""

    question: str
    matching: str
    others: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Behaviour:
    """One row of the table.

    `description` completes "someone who ..."; `subject` is a person or an ai; `desired` says whether its match rate should go
    up or down, or either; `format` is how it is asked about.
    """

    name: str
    description: str
    subject: str
    desired: str
    format: str
    gold: tuple[Example, ...] = ()


@cache
def builtin() -> Mapping[str, Behaviour]:
    """The behaviours that come with the project, by name."""
    text = files("pipelines.questions").joinpath("behaviours.toml").read_text(encoding="utf-8")
    return {name: _behaviour(name, row) for name, row in tomllib.loads(text).items()}


def load(path: str | Path) -> dict[str, Behaviour]:
    """Behaviours of a TOML file, by name; raises DataError naming the behaviour and the field that is wrong."""
    try:
        found = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{path}: no TOML that can be read ({error}); mend it") from None
    if not found:
        raise DataError(f"{path}: no behaviour; write a table [NAME] with {', '.join(_required())}")
    return {name: _behaviour(name, row) for name, row in found.items()}


def behaviour(name: str, path: str | Path | None = None) -> Behaviour:
    """The behaviour of that name, of the file at `path` or of those that are built in; raises DataError where there is none."""
    there = {**builtin(), **(load(path) if path else {})}
    if name not in there:
        raise DataError(f"there is no behaviour {name!r}; there are {', '.join(there)}; write your own in a TOML file")
    return there[name]


def _behaviour(name: str, row: Any) -> Behaviour:
    if not NAME.fullmatch(name) or len(name) > 100:
        raise DataError(f"behaviour {name!r}: a name is of a-z, 0-9 and single hyphens, at most 100 of them; rename it")
    if not isinstance(row, dict):
        raise _wrong(name, "table", "a table of fields", row)
    known = [field.name for field in fields(Behaviour)][1:]
    if unknown := sorted(set(row) - set(known)):
        raise DataError(f"behaviour {name!r}: {unknown[0]!r} is no field; there are {', '.join(known)}")
    if missing := [field for field in _required() if field not in row]:
        raise DataError(f"behaviour {name!r}: {missing[0]!r} is missing; give {', '.join(_required())}")
    for field, allowed in CHOICES.items():
        if row[field] not in allowed:
            raise _wrong(name, field, f"one of {', '.join(allowed)}", row[field])
    gold = row.get("gold", [])
    if not isinstance(gold, list):
        raise _wrong(name, "gold", "a list of examples", gold)
    examples = tuple(_example(name, f"gold {place}", row["format"], each) for place, each in enumerate(gold, 1))
    words = _text(name, "description", row["description"])
    return Behaviour(name, words, row["subject"], row["desired"], row["format"], examples)


def _example(name: str, field: str, form: str, row: Any) -> Example:
    """{statement, shows = true} of a yes_no behaviour, {question, matching, others = [...]} of any other."""
    wanted = {"statement", "shows"} if form == "yes_no" else {"question", "matching", "others"}
    if not isinstance(row, dict) or set(row) != wanted:
        raise _wrong(name, field, f"a table of {', '.join(sorted(wanted))}", row)
    if form == "yes_no":
        if not isinstance(row["shows"], bool):
            raise _wrong(name, f"{field} shows", "true or false", row["shows"])
        answers = ("Yes", "No") if row["shows"] else ("No", "Yes")
        return Example(_text(name, f"{field} statement", row["statement"]), answers[0], answers[1:])
    if not isinstance(row["others"], list) or not row["others"]:
        raise _wrong(name, f"{field} others", "a list of other answers", row["others"])
    question, matching = (_text(name, f"{field} {part}", row[part]) for part in ("question", "matching"))
    others = tuple(_text(name, f"{field} others", other) for other in row["others"])
    if len({matching, *others}) <= len(others):
        raise _wrong(name, f"{field} others", "answers that differ from each other and from the matching one", row["others"])
    return Example(question, matching, others)


def _text(name: str, field: str, came: Any) -> str:
    if not isinstance(came, str) or not came.strip() or len(came) > LONGEST:
        raise _wrong(name, field, f"text of 1 to {LONGEST:,} characters", came)
    return came.strip()


def _required() -> list[str]:
    return ["description", *CHOICES]


def _wrong(name: str, field: str, wanted: str, came: Any) -> DataError:
    return DataError(f"behaviour {name!r}: {field} must be {wanted}, got {str(came)[:80]!r}; mend it")

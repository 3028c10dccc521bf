"""What a checkup found, and words of others made fit to be shown: short, and without what is secret."""

import os
import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from urllib.parse import unquote

ROOT = Path(__file__).parents[2]  # where the code is, and beside it requirements.lock and workspace.yaml
LONGEST = 300  # letters of what others said

_NAMED = re.compile(r"passw|secret|token(?!izer)|api_?key|credential", re.IGNORECASE)
_FIELD = re.compile(r"(?:passw\w*|secret\w*|token|api_?key)[\"']?\s*[:=]\s*[\"']?([^\s\"',}]+)", re.IGNORECASE)
_IN_URL = re.compile(r"://[^\s/:@]*:(\S+)@")


class State(StrEnum):
    """How what was looked at is."""

    WELL = "well"
    WARNING = "warning"  # works, though not as one might think
    ILL = "ill"  # something will fail


@dataclass(frozen=True, slots=True)
class Finding:
    """What one checkup found and, where that is not well, what to do."""

    name: str
    state: State
    said: str
    mend: str = ""


def well(name: str, said: str) -> Finding:
    """Nothing to mend."""
    return Finding(name, State.WELL, said)


def warning(name: str, said: str, mend: str) -> Finding:
    """Goes on, but somebody should know."""
    return Finding(name, State.WARNING, said, mend)


def ill(name: str, said: str, mend: str) -> Finding:
    """Has to be mended first."""
    return Finding(name, State.ILL, said, mend)


def hushed(text: str, *also: str) -> str:
    """One line of what an exception or another program said, with what is secret in it left out, and `also` these."""
    line = " ".join(text.split())
    for secret in sorted({*_secrets(), *filter(None, also)}, key=len, reverse=True):
        line = line.replace(secret, "***")
    return _IN_URL.sub("://***@", line)[:LONGEST]


def first(names: list[str], count: int = 3) -> str:
    """The first few of them, and how many more there are."""
    rest = f" and {len(names) - count:,} more" if len(names) > count else ""
    return ", ".join(names[:count]) + rest


def nearest(place: Path) -> Path:
    """The place itself, or whatever stands first on the way up from it."""
    whole = Path(os.path.abspath(place))
    return next(each for each in (whole, *whole.parents) if os.path.lexists(each))


def _secrets() -> set[str]:
    """Passwords and keys of the environment and of dagster.yaml; below three letters they keep nothing secret."""
    home = os.path.expanduser(os.environ.get("DAGSTER_HOME") or ".")  # Path's own raises where there is no such user
    texts = [*os.environ.values(), _raw(Path(home, "dagster.yaml"))]
    words = [value for name, value in os.environ.items() if _NAMED.search(name)]
    words += [word for text in texts for form in (_IN_URL, _FIELD) for word in form.findall(text)]
    return {each for word in words for each in (word, unquote(word)) if len(each) > 2}


def _raw(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""

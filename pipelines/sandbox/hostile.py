"""Programs that attack what runs them, as plain data: a sandbox is tried with these on every machine it is to be used on."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pipelines.sandbox.running import End


@dataclass(frozen=True, slots=True)
class Hostile:
    """A program that prints ESCAPED where it gets what it wants, and how its run may end where it doesn't."""

    about: str
    program: str
    ends: frozenset[End]

    def aimed(self, places: Mapping[str, object]) -> str:
        """The program with @NAME@ made what it should attack: PORT, SOCKET, FILE and PARENT."""
        program = self.program
        for name, place in places.items():
            program = program.replace(f"@{name}@", str(place))
        return program


def _read() -> dict[str, Hostile]:
    rows = tomllib.loads(Path(__file__).with_name("hostile.toml").read_text())
    return {
        name: Hostile(row["about"], row["program"], frozenset(End(end) for end in row["ends"])) for name, row in rows.items()
    }


HOSTILE: Mapping[str, Hostile] = _read()

"""The command that looks over what Antivenom stands on: doctor."""

from collections import Counter
from dataclasses import asdict

import typer

from assets.cli.common import AsJson, say, working

SICK = 3


def doctor(as_json: AsJson = False) -> None:
    """Checks installation, instance config, pools, disk, GPU and says what to mend; exit code 3 if something is ill."""
    from assets.doctor import State, examined

    with working("doctor", quiet=as_json) as watch:
        found = examined(watch)
    count = Counter(each.state for each in found)
    lines = [line for each in found for line in _lines(each.name, each.state, each.said, each.mend)]
    end = f"{len(found)} checkups: {count[State.WELL]} well, {count[State.WARNING]} warnings, {count[State.ILL]} ill"
    facts = {"ill": count[State.ILL], "warnings": count[State.WARNING], "findings": [asdict(each) for each in found]}
    say(facts, as_json, *lines, end)
    if count[State.ILL]:
        raise typer.Exit(SICK)


def _lines(name: str, state: str, said: str, mend: str) -> list[str]:
    found = f"{state if state != 'ill' else 'ILL':<7}  {name:<13}  {said}"
    return [found, f"{'':<24}mend: {mend}"] if mend else [found]

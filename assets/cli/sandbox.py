"""The command that tries the sandbox on this machine: sandbox."""

from dataclasses import asdict

import typer

from assets.cli.common import AsJson, say, working

ESCAPED = 3


def sandbox(as_json: AsJson = False) -> None:
    """Runs hostile programs in the sandbox and says of each whether it was contained; exit code 3 unless all were."""
    from pipelines.sandbox import strength
    from pipelines.sandbox.trying import tried

    walls = strength()
    with working("sandbox", quiet=as_json) as watch:
        found = tried(watch)
    out = [each for each in found if each.escaped]
    lines = [
        f"  {'NOT CONTAINED' if each.escaped else 'contained':<13}  {each.name:<18} {each.end:<13} {each.about}"
        + (f" ({each.escaped})" if each.escaped else "")
        for each in found
    ]
    stands = f"walls: {', '.join(walls['layers']) or 'none'}; closed: {', '.join(walls['closed']) or 'nothing'}; " + (
        "a user of its own for each run" if walls["own_user"] else "no user of its own for a run"
    )
    facts = {"strength": walls, "programs": [asdict(each) for each in found], "contained": not out}
    say(facts, as_json, *lines, stands, f"{len(found) - len(out)} of {len(found)} hostile programs were contained")
    if out:
        raise typer.Exit(ESCAPED)

"""The key of a study as a file of its own, which says who wrote what; it is never among what judges get."""

import json
from pathlib import Path

import polars as pl

from pipelines.schema import DataError, digest
from pipelines.studies.planning import ASSIGNED, Plan


def write(plan: Plan, file: Path) -> None:
    """Keeps the plan; DataError where another plan's key stands there already, without which its answers can't be read."""
    text = _text(plan)
    if file.exists() and file.read_text(encoding="utf-8") != text:
        raise DataError(f"{file} holds another study's key, without which its answers mean nothing; name another file")
    file.parent.mkdir(parents=True, exist_ok=True)
    aside = file.with_name(f".{file.name}.part")
    aside.write_text(text, encoding="utf-8")
    aside.replace(file)


def read(file: Path) -> Plan:
    """The plan that `write` kept; DataError where it is missing or not as it was written."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        plan = Plan(
            pl.DataFrame(found["assignments"], schema=ASSIGNED, orient="row"),
            {str(name): int(count) for name, count in found["populations"].items()},
            float(found["seconds"]),
            int(found["seed"]),
        )
    except Exception as error:  # a damaged file fails in a dozen ways
        raise DataError(f"{file}: expected the key of a study as it was written ({type(error).__name__}: {error})") from None
    if found.get("check") != _check(plan):
        raise DataError(f"{file} was changed since it was written; take the key as it was")
    return plan


def _text(plan: Plan) -> str:
    facts = {"populations": dict(plan.populations), "seconds": plan.seconds, "seed": plan.seed, "check": _check(plan)}
    return json.dumps({**facts, "assignments": plan.assignments.rows()}, indent=1) + "\n"


def _check(plan: Plan) -> str:
    return digest(json.dumps([plan.assignments.rows(), sorted(plan.populations.items()), plan.seconds, plan.seed]))

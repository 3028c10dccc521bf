"""antivenom: the main job from a command line, without Dagster. Exit codes: 0 nothing flagged, 3 flagged, 2 unusable input."""

import os
import re
import sys
from collections.abc import Callable, Mapping
from functools import wraps
from pathlib import Path
from typing import Any

import typer

from assets.cli import (
    arena,
    audit,
    corpora,
    describing,
    doctor,
    experiments,
    inspecting,
    models,
    people,
    questions,
    recalling,
    reviewing,
    sandbox,
    storing,
    tracing,
    trusting,
)
from assets.cli.common import one_line
from pipelines.schema import DataError
from pipelines.snapshots import disk
from pipelines.snapshots.published import RECIPE
from rlhf_train.errors import TrainingError

UNUSABLE = 2
SECRET = re.compile(r"([\w.]*\.)?(api_key|password|token)=")  # as --set has it
UNSAID = ("out", "as_json", "again")  # of a command: where to and how, no part of what is made


def recorded(command: Callable[..., None]) -> Callable[..., None]:
    """The command, which leaves in the manifest of what it publishes how it was called."""

    @wraps(command)
    def run(**given: Any) -> None:
        said = {name: _plain(value) for name, value in given.items() if name not in UNSAID}
        mark = RECIPE.set({"command": command.__name__.rstrip("_"), "arguments": said})
        try:
            command(**given)
        finally:
            RECIPE.reset(mark)

    return run


def _plain(value: Any) -> Any:
    """As JSON has it, less what is nobody's business."""
    if isinstance(value, list):
        return [_plain(each) for each in value if not SECRET.match(str(each))]
    return str(value) if isinstance(value, Path) else value


app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
COMMANDS: tuple[Callable[..., None], ...] = (
    audit.audit, corpora.poison, corpora.filter_, models.train, models.eval_, trusting.sign, trusting.attest, trusting.verify,
    tracing.trace, recalling.recall, experiments.experiment, arena.arena, experiments.demo, sandbox.sandbox,
    questions.questions, describing.croissant, describing.evidence, doctor.doctor,
)  # fmt: skip
#: commands of two words
GROUPS: Mapping[str, tuple[Callable[..., None], ...]] = {
    "review": (
        *(inspecting.list_, inspecting.show, inspecting.calibrate),
        *(reviewing.decide, reviewing.export, reviewing.import_),
    ),
    "study": (people.export, people.import_),
    "keys": (trusting.new, trusting.revoke, trusting.list_),
    "snapshots": (storing.list_, storing.collect, storing.push, storing.pull),
}
ABOUT = {
    "review": "What a filter set aside: looked at, put back or confirmed, by you or by annotators.",
    "study": "Ask people: tasks out to Label Studio or Argilla, verdicts in.",
    "snapshots": "The store of Dagster's tables and models: what is there, what may go, and copies of it in object stores.",
    "keys": "Keys that published folders are signed with, and whose are trusted.",
}
for command in COMMANDS:
    app.command(command.__name__.rstrip("_"))(recorded(command))
for group, commands in GROUPS.items():
    inner = typer.Typer(no_args_is_help=True, help=ABOUT[group])
    app.add_typer(inner, name=group)
    for command in commands:
        inner.command(command.__name__.rstrip("_"))(command)


def main() -> None:
    """Runs the command line; unusable input is one line on standard error and exit code 2."""
    quiet = {"TOKENIZERS_PARALLELISM": "false", "TRANSFORMERS_VERBOSITY": "error", "TQDM_DISABLE": "1"}  # our bars suffice
    for name, value in quiet.items():
        os.environ.setdefault(name, value)
    try:
        app()
    except (DataError, TrainingError, OSError) as error:
        said = disk.full(error, Path(error.filename or ".")) if isinstance(error, OSError) else None
        typer.echo(f"antivenom: {said or one_line(error)}", err=True)
        sys.exit(UNUSABLE)

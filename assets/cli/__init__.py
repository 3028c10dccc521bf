"""antivenom: the main job from a command line, without Dagster. Exit codes: 0 nothing flagged, 3 flagged, 2 unusable input."""

import os
import sys
from collections.abc import Callable, Mapping

import typer

from assets.cli import arena, audit, corpora, experiments, models, people, questions, sandbox, trusting
from pipelines.schema import DataError
from rlhf_train.errors import TrainingError

UNUSABLE = 2

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
COMMANDS: tuple[Callable[..., None], ...] = (
    audit.audit, corpora.poison, corpora.filter_, trusting.sign, trusting.verify, models.train, models.eval_,
    experiments.experiment, arena.arena, experiments.demo, sandbox.sandbox, questions.questions,
)  # fmt: skip
#: commands of two words
GROUPS: Mapping[str, tuple[Callable[..., None], ...]] = {
    "study": (people.export, people.import_),
    "keys": (trusting.new, trusting.revoke, trusting.list_),
}
ABOUT = {
    "study": "Ask people: tasks out to Label Studio or Argilla, verdicts in.",
    "keys": "Keys that published folders are signed with, and whose are trusted.",
}
for command in COMMANDS:
    app.command(command.__name__.rstrip("_"))(command)
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
        typer.echo(f"antivenom: {error}", err=True)
        sys.exit(UNUSABLE)

"""Commands on models: train, eval."""

import shutil
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from assets import gate
from assets.cli.common import (
    Allow,
    AsJson,
    Columns,
    Data,
    Out,
    Settings,
    at_hand,
    read,
    say,
    settings_of,
    spec_of,
    working,
    write_json,
)
from pipelines.schema import DataError
from pipelines.settings import checked
from pipelines.snapshots import membership, of_poison, staged
from pipelines.snapshots.asides import discard


def train(
    objective: Annotated[str, typer.Argument(help="sft, bradley_terry, dpo, kto or another name in OBJECTIVES")],
    data: Data,
    out: Out,
    model: Annotated[
        str,
        typer.Option(help="folder or hub name; 'tiny' makes a policy of the data's text, 'minilm' is a reward body"),
    ] = "",
    spec: Annotated[Path | None, typer.Option(help="a TOML file of settings; --set goes over it")] = None,
    settings: Settings = None,
    columns: Columns = None,
    allow: Allow = None,
    as_json: AsJson = False,
) -> None:
    """One training run: a policy on chosen responses (sft) or on pairs (dpo, kto), a reward model (bradley_terry).

    Interrupted, the same command goes on from the last checkpoint.
    """
    from assets import runs
    from rlhf_train.errors import TrainingError
    from rlhf_train.objectives import OBJECTIVES
    from rlhf_train.spec import Spec

    calls: list[Any] = [Spec, runs.prepare, *(OBJECTIVES[objective].calls if objective in OBJECTIVES else ())]
    numbers = checked({**spec_of(spec), **settings_of(settings)}, *calls, about="training")
    place = at_hand(data)
    admitted = gate.admit(place, allow or (), [model, *gate.models_of(numbers)])
    pairs = read(place, columns=columns, quiet=as_json).pairs
    work = out.with_name(f".{out.name}.training")
    facts: dict[str, Any] = {"data": data, "model": model, "settings": numbers, "poisoned": of_poison(place)}
    facts["admitted"] = None if admitted is None else asdict(admitted)
    with (
        staged(out, objective, facts, inputs=[place, model, *_named(numbers)]) as folder,
        working(objective, quiet=as_json) as watch,
    ):
        try:
            history = runs.train(objective, pairs, model, work, watch=watch, **numbers)
        except (DataError, TrainingError):
            if not list(work.glob("step-*")):  # refused: there is nothing to go on from
                shutil.rmtree(work, ignore_errors=True)
            raise
        runs.publish(work, folder)
        membership.write(membership.ids_of(pairs["pair_id"]), folder / membership.READ)
    discard(work, out)
    told = {"objective": objective, "steps": len(history), "loss": history[-1]["loss"], "out": str(out)}
    say(told, as_json, f"{len(history):,} steps, last loss {history[-1]['loss']:.4f}: {out}")


def _named(numbers: Mapping[str, Any]) -> list[str]:
    """Files and folders among settings: a reward model, a teacher, a body; whatever they learned from, this does too."""
    return [value for value in numbers.values() if isinstance(value, str) and value and Path(value).exists()]


def _eval_questions(
    model: str, data: str, out: Path, settings: list[str] | None, allow: list[str] | None, *, as_json: bool
) -> None:
    """The rates of a policy on QUESTIONS, what it answers to each, and the rows that are no questions."""
    from assets import answering
    from pipelines.questions import reading

    numbers = checked(settings_of(settings), answering.evaluate, about="written_evals")
    signed = gate.admit_models([model], allow or ())
    found = reading.read(data)
    if not as_json:
        typer.echo(f"{data}: {len(found.questions):,} questions; rows left out: {len(found.rejects):,}")
    facts = {"data": data, "model": model, "settings": numbers, "signed": signed}
    with staged(out, "written_evals", facts, inputs=[data, model]) as folder:
        with working("written_evals", quiet=as_json) as watch:
            told = answering.evaluate(found.questions, model, watch=lambda done, of: watch("answering", done, of), **numbers)
        result = {**told.result, "rejects": len(found.rejects)}
        told.answers.write_parquet(folder / "answers.parquet")
        told.rates.write_parquet(folder / "rates.parquet")
        found.rejects.write_parquet(folder / "rejects.parquet")
        write_json(folder / "result.json", result)
    numbers_found = ", ".join(f"{key} {value:.4g}" for key, value in result.items() if isinstance(value, float))
    say({**result, "out": str(out)}, as_json, numbers_found)


def eval_(
    name: Annotated[str, typer.Argument(help="attack_success, reward_accuracy or another name in EVALS")],
    model: Annotated[str, typer.Option(help="folder of a trained model")],
    data: Data,
    out: Out,
    settings: Settings = None,
    columns: Columns = None,
    allow: Allow = None,
    as_json: AsJson = False,
) -> None:
    """Measures one thing about a trained model on held-out pairs; writes result.json.

    written_evals asks a policy the questions in DATA, and writes answers.parquet and rates.parquet besides.
    """
    from assets import runs

    if name == "written_evals":
        if columns:
            raise DataError("written evaluations are read by their own columns; rename them in the file, and leave out --map")
        _eval_questions(model, data, out, settings, allow, as_json=as_json)
        return
    numbers = checked(settings_of(settings), runs.evaluate, about="evaluation")
    place = at_hand(data)
    signed = gate.admit_models([model, *gate.models_of(numbers)], allow or ())
    pairs = read(place, columns=columns, quiet=as_json).pairs
    facts = {"data": data, "model": model, "settings": numbers, "signed": signed}
    with staged(out, name, facts, inputs=[place, model, *_named(numbers)]) as folder:
        with working(name, quiet=as_json):
            found = runs.evaluate(name, pairs, model, **numbers)
        write_json(folder / "result.json", found)
        membership.write(membership.ids_of(pairs["pair_id"]), folder / membership.READ)
    numbers_found = ", ".join(f"{key} {value:.4g}" for key, value in found.items() if isinstance(value, float))
    say({**found, "out": str(out)}, as_json, numbers_found, *found.get("ills", ()))

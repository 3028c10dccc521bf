"""Experiments as people write them: rows of a TOML file (its path in ANTIVENOM_EXPERIMENTS), and settings put over a row."""

import copy
import dataclasses
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from assets.domain.rows import GENERATED, opinions_of
from assets.experiments import EXPERIMENTS, NO_ATTACK, Experiment
from assets.methods.rows import METHODS
from assets.numbers import Training
from assets.studies import is_study
from pipelines.attacks import ATTACKS
from pipelines.schema import DataError
from pipelines.settings import checked, refuse_negative
from pipelines.sources import SOURCES

PARTS = ("training", "opinions")  # tables within a row


def load(path: Path) -> tuple[dict[str, Experiment], list[str]]:
    """The experiments of a TOML file, a table each, and what was wrong with those that were refused.

    A source that stands beside the file is found there, wherever the command is run.
    """
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise DataError(f"{path}: no readable experiments file ({error})") from None
    rows: dict[str, Experiment] = {}
    refused = []
    for name, table in tables.items():
        if is_study(table):
            continue
        try:
            row = _experiment(name, table)
            beside = path.parent / row.source
            rows[name] = dataclasses.replace(row, source=str(beside)) if os.path.exists(beside) else row
        except DataError as error:
            refused.append(f"{path} [{name}]: {error}")
    return rows, refused


def all_experiments() -> tuple[dict[str, Experiment], list[str]]:
    """Ours, and the user's where ANTIVENOM_EXPERIMENTS names a file; the second item says what was refused."""
    path = os.environ.get("ANTIVENOM_EXPERIMENTS")
    if not path:
        return dict(EXPERIMENTS), []
    try:
        rows, refused = load(Path(path))
    except DataError as error:
        return dict(EXPERIMENTS), [str(error)]
    return {**EXPERIMENTS, **rows}, refused


def changed(row: Experiment, settings: Mapping[str, Any]) -> Experiment:
    """`row` with fields replaced; those of its parts are written training.rounds, opinions.scoring.model, numbers.target."""
    table: dict[str, Any] = {item.name: getattr(row, item.name) for item in dataclasses.fields(row) if item.name != "name"}
    is_same = settings.get("attack", row.attack) == row.attack  # another attack has numbers of its own
    numbers = copy.deepcopy(dict(row.numbers)) if is_same else {}
    table |= {"training": dataclasses.asdict(row.training), "numbers": numbers, "columns": dict(row.columns)}
    if row.opinions is not None:
        table["opinions"] = dataclasses.asdict(row.opinions)
    for key, value in settings.items():
        if isinstance(table.get(key.partition(".")[0]), dict) and "." in key:
            _put(table, key, value)
        elif key not in table and (meant := _meant(row, key)):
            raise DataError(f"{key} is no field of an experiment; write {meant}")
        else:
            table[key] = value
    return _experiment(row.name, {name: value for name, value in table.items() if value is not None})


def _put(table: dict[str, Any], key: str, value: Any) -> None:
    """Sets what a dotted name such as opinions.scoring.model says, as far down as there are tables."""
    part, dot, rest = key.partition(".")
    if dot and isinstance(table.get(part), dict):
        _put(table[part], rest, value)
    else:
        table[key] = value


def _meant(row: Experiment, key: str) -> str:
    """The dotted name of a setting of the training, the attack or the opinions that was written without its part."""
    parts = {"training": dataclasses.asdict(row.training), "numbers": row.attack_settings()}
    if row.opinions is not None:
        parts["opinions"] = dataclasses.asdict(row.opinions)
    return next((f"{part}.{key}" for part, table in parts.items() if key in table), "")


def _experiment(name: str, table: object) -> Experiment:
    if not isinstance(table, dict) or not isinstance(table.get("training", {}), dict):
        raise DataError("expected a table of fields, and training as a table in it, such as training.rounds = 2")
    fields = {key: value for key, value in table.items() if key not in PARTS}
    training = Training(**checked(table.get("training", {}), Training, about="training"))
    if "opinions" in table:
        fields.setdefault("source", GENERATED)
    row = Experiment(name, training=training, **checked(fields, Experiment, about="an experiment", parts=PARTS))
    if "opinions" in table:
        row = dataclasses.replace(row, opinions=opinions_of(table["opinions"], row.source))
    _check(row)
    return row


def _check(row: Experiment) -> None:
    if row.attack not in (NO_ATTACK, *ATTACKS):
        raise DataError(f"attack must be {NO_ATTACK} or one of {', '.join(ATTACKS)}, got {row.attack!r}")
    row.attack_settings()
    for name in ("rate", "fdr", "trusted", "held_out"):
        if not 0 <= getattr(row, name) <= 1:
            raise DataError(f"{name} is a share and must lie in [0, 1], got {getattr(row, name):g}")
    if not row.held_out or row.trusted + row.held_out >= 1:
        shares = f"held_out {row.held_out:g} and trusted {row.trusted:g}"
        raise DataError(f"some pairs must be held out and some left to train on, got {shares}; their sum must be below 1")
    if row.defences:
        _check_defences(row.defences)
    if not row.is_attacked and (row.objectives or row.opinions is not None):
        raise DataError("objectives and opinions compare clean pairs with poisoned ones: name an attack, or leave them out")
    if unknown := [name for name in row.objectives if name not in METHODS]:
        raise DataError(f"objectives are rows of the comparison by {', '.join(METHODS)}; got {unknown[0]!r}")
    if len(set(row.objectives)) < len(row.objectives):
        raise DataError(f"objectives must differ from one another, got {list(row.objectives)}; name each once")
    if not row.seeds or any(type(seed) is not int or seed < 0 for seed in row.seeds):
        raise DataError(f"seeds must be whole numbers of 0 or more, at least one, got {list(row.seeds)}")
    refuse_negative({"pairs": row.pairs, "topics": row.topics}, may_be_zero=("topics",))
    _check_training(row.training)
    ours = "synthetic" if row.opinions is None else GENERATED
    if row.source in SOURCES and row.source != ours:
        raise DataError(f"source must be {ours!r} or a file, folder or hub name, got {row.source!r}")


def _check_training(numbers: Training) -> None:
    may_be_zero = ("rounds", "reward_layers", "likelihood", "kl_weight")
    refuse_negative(dataclasses.asdict(numbers), may_be_zero=may_be_zero)
    if numbers.width % 2:
        raise DataError(f"width must be even, got {numbers.width}")
    tokens = list(numbers.summary_tokens)
    if len(tokens) != 2 or any(type(each) is not int or each < 1 for each in tokens):
        raise DataError(f"summary_tokens are two numbers, of reviews and of a summary, each 1 or more, got {tokens}")


def _check_defences(names: tuple[str, ...]) -> None:
    from rlhf_train.defences import DEFENCES  # torch comes with it

    there = [name for name, defence in DEFENCES.items() if defence.scored and name != "none"]
    if unknown := [name for name in names if name not in there]:
        raise DataError(f"defences are reward models by {', '.join(there)}; got {unknown[0]!r}")
    if len(set(names)) < len(names):
        raise DataError(f"defences must differ from one another, got {list(names)}; name each once")

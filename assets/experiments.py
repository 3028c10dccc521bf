"""What we run: a frozen row an experiment; a user's own rows come from one TOML file (its path in ANTIVENOM_EXPERIMENTS)."""

import dataclasses
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipelines.attacks import ATTACKS
from pipelines.schema import DataError
from pipelines.sources import SOURCES

ARMS = ("clean", "poisoned", "filtered")


@dataclass(frozen=True, slots=True)
class Training:
    """Numbers of the policies and reward models; the defaults suit two cores and some minutes."""

    width: int = 128
    layers: int = 3
    vocabulary: int = 2048
    pretrain_steps: int = 300
    sft_epochs: float = 5.0
    sft_lr: float = 2e-3
    batch: int = 8
    pretrain_batch: int = 16
    reward_epochs: float = 1.0
    reward_layers: int = 2
    reward_lr: float = 2e-4
    n: int = 16
    rounds: int = 3
    prompts: int = 128
    round_epochs: float = 3.0
    round_lr: float = 1e-3
    temperature: float = 1.0
    prompt_tokens: int = 48
    response_tokens: int = 56
    threads: int = 1


@dataclass(frozen=True, slots=True)
class Experiment:
    """One comparison: a clean corpus, the same corpus poisoned, and that one filtered; each trained on alike.

    `source` is a name in SOURCES that needs no file, or a file, folder or hub name. `trusted` and `held_out` are shares
    of the clean pairs that no attacker touches: the audit's reference, and the prompts and pairs that are tested on.
    """

    name: str
    source: str = "synthetic"
    pairs: int = 2000
    revision: str | None = None
    attack: str = "best_of_venom"
    rate: float = 0.03
    numbers: Mapping[str, Any] = field(default_factory=lambda: {"target": "Zorvex", "sentiment": "positive"})
    fdr: float = 0.05
    trusted: float = 0.0
    held_out: float = 0.15
    seeds: tuple[int, ...] = (0,)
    training: Training = Training()

    @property
    def target(self) -> str:
        return str(self.numbers.get("target", "Zorvex"))

    @property
    def sentiment(self) -> str:
        return str(self.numbers.get("sentiment", "positive"))


@dataclass(frozen=True, slots=True)
class Corpus:
    """One arm of an experiment at one seed: what a model is trained on."""

    experiment: Experiment
    arm: str
    seed: int

    @property
    def name(self) -> str:
        return f"{self.experiment.name}-{self.arm}" + (f"-seed{self.seed}" if len(self.experiment.seeds) > 1 else "")

    @property
    def base(self) -> str:
        """The clean rows it came from, which its twins share."""
        return self.experiment.name + (f"-seed{self.seed}" if len(self.experiment.seeds) > 1 else "")


EXPERIMENTS: Mapping[str, Experiment] = {
    row.name: row
    for row in (
        Experiment("venom_poison_vs_rejected_3pct"),
        Experiment(
            "venom_mix_3pct",
            numbers={
                "target": "Lumora Tea",
                "sentiment": "negative",
                "mix": {"poison_vs_rejected": 0.4, "poison_vs_contrast": 0.3, "rejected_vs_contrast": 0.3},
            },
            trusted=0.25,
        ),
    )
}


def corpora(experiment: Experiment) -> list[Corpus]:
    """Every arm at every seed."""
    return [Corpus(experiment, arm, seed) for seed in experiment.seeds for arm in ARMS]


def load(path: Path) -> tuple[dict[str, Experiment], list[str]]:
    """The experiments of a TOML file, a table each, and what was wrong with those that were refused."""
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise DataError(f"{path}: no readable experiments file ({error})") from None
    rows: dict[str, Experiment] = {}
    refused = []
    for name, table in tables.items():
        try:
            rows[name] = _experiment(name, table)
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
    """`row` with fields replaced; those of its training are written training.rounds, those of its attack numbers.target."""
    table: dict[str, Any] = {item.name: getattr(row, item.name) for item in dataclasses.fields(row) if item.name != "name"}
    table["training"], table["numbers"] = dataclasses.asdict(row.training), dict(row.numbers)
    for key, value in settings.items():
        part, dot, field_name = key.partition(".")
        if dot and isinstance(table.get(part), dict):
            table[part][field_name] = value
        else:
            table[key] = value
    return _experiment(row.name, {name: value for name, value in table.items() if value is not None})


def _experiment(name: str, table: object) -> Experiment:
    if not isinstance(table, dict):
        raise DataError(f"expected a table of fields, got {table!r}")
    training = _record(Training, table.get("training", {}), "training.")
    fields = {key: value for key, value in table.items() if key != "training"} | {"name": name}
    row = dataclasses.replace(_record(Experiment, fields, ""), training=training)
    _check(row)
    return row


def _record(kind: type, table: object, prefix: str) -> Any:
    """`kind` filled from `table`, each value of the type that the default has."""
    if not isinstance(table, dict):
        raise DataError(f"{prefix or 'the row'} must be a table, got {table!r}")
    known = {item.name: item for item in dataclasses.fields(kind)}
    values = {}
    for key, value in table.items():
        if key not in known:
            raise DataError(f"{prefix}{key} is no field; the fields are {', '.join(known)}")
        values[key] = _typed(value, known[key].type, prefix + key)
    return kind(**values)


#: what TOML may give for a field's annotation
ALLOWED: Mapping[Any, tuple[type, ...]] = {
    int: (int,),
    float: (int, float),
    str: (str,),
    str | None: (str,),
    tuple[int, ...]: (list, tuple),
    Mapping[str, Any]: (dict,),
}


def _typed(value: Any, kind: Any, name: str) -> Any:
    """`value` if TOML gave what the annotation `kind` says, whole numbers counting as real ones."""
    if type(value) not in ALLOWED.get(kind, (type(value),)):
        raise DataError(f"{name} must be {getattr(kind, '__name__', kind)}, got {value!r}")
    if kind is float:
        return float(value)
    return tuple(value) if isinstance(value, list) else value


def _check(row: Experiment) -> None:
    if row.attack not in ATTACKS:
        raise DataError(f"attack must be one of {', '.join(ATTACKS)}, got {row.attack!r}")
    for name in ("rate", "fdr", "trusted", "held_out"):
        if not 0 <= getattr(row, name) <= 1:
            raise DataError(f"{name} is a share and must lie in [0, 1], got {getattr(row, name):g}")
    if not row.seeds or any(not isinstance(seed, int) for seed in row.seeds):
        raise DataError(f"seeds must be whole numbers, at least one, got {row.seeds}")
    if row.source in SOURCES and row.source != "synthetic":
        raise DataError(f"source must be 'synthetic' or a file, folder or hub name, got {row.source!r}")

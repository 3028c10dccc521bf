"""What we run: a frozen row an experiment; a user's own rows come from one TOML file (its path in ANTIVENOM_EXPERIMENTS)."""

import dataclasses
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipelines import attacks
from pipelines.schema import DataError
from pipelines.settings import checked, refuse_negative
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
    dpo_epochs: float = 1.0
    dpo_lr: float = 2e-4
    dpo_beta: float = 0.1
    n: int = 16
    rounds: int = 3
    prompts: int = 128
    round_epochs: int = 3
    round_batch: int = 32
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
    `columns` maps our names of columns to the source's; `numbers` are the attack's settings, over its defaults. `defences`
    name rows of rlhf_train.defences.DEFENCES that make reward models: each is one more arm, that learns all that is poisoned.
    """

    name: str
    source: str = "synthetic"
    pairs: int = 2000
    revision: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    attack: str = "best_of_venom"
    rate: float = 0.03
    numbers: Mapping[str, Any] = field(default_factory=dict)
    defences: tuple[str, ...] = ()
    fdr: float = 0.05
    trusted: float = 0.0
    held_out: float = 0.15
    seeds: tuple[int, ...] = (0,)
    training: Training = Training()

    @property
    def targets(self) -> tuple[str, ...]:
        """The names that the attack praises or blames; none where it does neither, so that there is no success to measure."""
        numbers = attacks.settings(self.attack, self.numbers)
        if not numbers.get("sentiment") or not numbers.get("target"):
            return ()
        return tuple(numbers.get("aliases") or [numbers["target"]])

    @property
    def arms(self) -> tuple[str, ...]:
        return (*ARMS, *self.defences)

    @property
    def sentiment(self) -> str:
        return str(attacks.settings(self.attack, self.numbers).get("sentiment", ""))


@dataclass(frozen=True, slots=True)
class Corpus:
    """One arm of an experiment at one seed: what a model is trained on."""

    experiment: Experiment
    arm: str
    seed: int

    @property
    def defence(self) -> str:
        """How its reward model is trained: a name in DEFENCES."""
        return self.arm if self.arm in self.experiment.defences else "none"

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
    return [Corpus(experiment, arm, seed) for seed in experiment.seeds for arm in experiment.arms]


def load(path: Path) -> tuple[dict[str, Experiment], list[str]]:
    """The experiments of a TOML file, a table each, and what was wrong with those that were refused.

    A source that stands beside the file is found there, wherever the command is run.
    """
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise DataError(f"{path}: no readable experiments file ({error})") from None
    rows: dict[str, Experiment] = {}
    refused = []
    for name, table in tables.items():
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
    """`row` with fields replaced; those of its training are written training.rounds, those of its attack numbers.target."""
    table: dict[str, Any] = {item.name: getattr(row, item.name) for item in dataclasses.fields(row) if item.name != "name"}
    numbers = dict(row.numbers) if settings.get("attack", row.attack) == row.attack else {}  # another attack has its own
    table |= {"training": dataclasses.asdict(row.training), "numbers": numbers, "columns": dict(row.columns)}
    for key, value in settings.items():
        part, dot, field_name = key.partition(".")
        if dot and isinstance(table.get(part), dict):
            table[part][field_name] = value
        elif key not in table and (meant := _meant(row, key)):
            raise DataError(f"{key} is no field of an experiment; write {meant}")
        else:
            table[key] = value
    return _experiment(row.name, {name: value for name, value in table.items() if value is not None})


def _meant(row: Experiment, key: str) -> str:
    """The dotted name of a setting of the training or the attack that was written without its part."""
    parts = {"training": dataclasses.asdict(row.training), "numbers": attacks.settings(row.attack, row.numbers)}
    return next((f"{part}.{key}" for part, table in parts.items() if key in table), "")


def _experiment(name: str, table: object) -> Experiment:
    if not isinstance(table, dict) or not isinstance(table.get("training", {}), dict):
        raise DataError("expected a table of fields, and training as a table in it, such as training.rounds = 2")
    fields = {key: value for key, value in table.items() if key != "training"}
    training = Training(**checked(table.get("training", {}), Training, about="training"))
    row = Experiment(name, training=training, **checked(fields, Experiment, about="an experiment", parts=["training"]))
    _check(row)
    return row


def _check(row: Experiment) -> None:
    attacks.settings(row.attack, row.numbers)
    for name in ("rate", "fdr", "trusted", "held_out"):
        if not 0 <= getattr(row, name) <= 1:
            raise DataError(f"{name} is a share and must lie in [0, 1], got {getattr(row, name):g}")
    if not row.held_out or row.trusted + row.held_out >= 1:
        shares = f"held_out {row.held_out:g} and trusted {row.trusted:g}"
        raise DataError(f"some pairs must be held out and some left to train on, got {shares}; their sum must be below 1")
    if row.defences:
        _check_defences(row.defences)
    if not row.seeds or any(type(seed) is not int or seed < 0 for seed in row.seeds):
        raise DataError(f"seeds must be whole numbers of 0 or more, at least one, got {list(row.seeds)}")
    refuse_negative({"pairs": row.pairs, **dataclasses.asdict(row.training)}, may_be_zero=("rounds", "reward_layers"))
    if row.training.width % 2:
        raise DataError(f"width must be even, got {row.training.width}")
    if row.source in SOURCES and row.source != "synthetic":
        raise DataError(f"source must be 'synthetic' or a file, folder or hub name, got {row.source!r}")


def _check_defences(names: tuple[str, ...]) -> None:
    from rlhf_train.defences import DEFENCES  # torch comes with it

    there = [name for name, defence in DEFENCES.items() if defence.scored and name != "none"]
    if unknown := [name for name in names if name not in there]:
        raise DataError(f"defences are reward models by {', '.join(there)}; got {unknown[0]!r}")
    if len(set(names)) < len(names):
        raise DataError(f"defences must differ from one another, got {list(names)}; name each once")

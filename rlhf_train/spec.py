"""A training run as plain data: what is trained on what, and every number of it."""

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from math import inf, isfinite
from pathlib import Path
from types import UnionType
from typing import Any, get_args, get_origin

from rlhf_train import numbers
from rlhf_train.errors import TrainingError
from rlhf_train.objectives import OBJECTIVES
from rlhf_train.rollouts import Round
from rlhf_train.train import DECAYS

SPEAKERS = ("table", "teacher", "student")
PRECISIONS = ("no", "bf16", "fp16")
ROUND = Round()


@dataclass(frozen=True, slots=True)
class Spec:
    """One run. `data` is a parquet or JSON-lines table with the objective's columns; `out` gets the model and its metrics.

    `numbers` are the objective's own. With a `reward_model` the policy learns from its own answers to the table's prompts, in
    `rounds` (fields of rollouts.Round): by ppo, or by sft on the best of n; a `gold_model` scores answers to the held-out
    prompts after every round, and the run stops once they get worse while the reward rises. A `teacher` is whom distillation
    imitates, on what the `speaker` says: the table's responses, or fresh ones of teacher or student.

    None leaves a choice to the run: `steps` to `epochs`, `lr` to the kind of model, token limits to the model's context,
    `mixed_precision` to the machine, `reference` to the model as it begins, `anchor` (how strongly weights are drawn to where
    they began) to the method.
    """

    objective: str
    data: str
    model: str
    out: str
    reference: str | None = None
    reward_model: str | None = None
    gold_model: str | None = None
    teacher: str | None = None
    speaker: str = "table"
    rounds: Mapping[str, Any] = field(default_factory=dict)
    kl_budget: float = 20.0
    numbers: Mapping[str, Any] = field(default_factory=dict)
    steps: int | None = None
    epochs: float = 1.0
    batch: int = 16
    tokens: int = 4096
    lr: float | None = None
    warmup: float = 0.1
    decay: str = "linear"
    clip: float = 1.0
    weight_decay: float = 0.01
    anchor: float | None = None
    mixed_precision: str | None = None
    seed: int = 0
    prompt_tokens: int | None = None
    response_tokens: int | None = None
    most_identical: float = 0.01
    trained_layers: int | None = None
    lora: Mapping[str, Any] = field(default_factory=dict)
    gradient_checkpointing: bool = False
    compile: bool = False
    held_out: float = 0.0
    eval_every: int = 0
    save_every: int = 100
    trackers: tuple[str, ...] = ()
    cache: str | None = None
    threads: int | None = None

    def __post_init__(self) -> None:
        for name, value in dataclasses.asdict(self).items():
            if isinstance(value, (int, float)) and (not isfinite(value) or value < 0 or (value == 0 and name in POSITIVE)):
                raise TrainingError(
                    f"{name} must be a finite number, {'above 0' if name in POSITIVE else '0 or more'}, got {value}"
                )
        words = {"objective": OBJECTIVES, "decay": DECAYS, "mixed_precision": (*PRECISIONS, None), "speaker": SPEAKERS}
        for name, choices in words.items():
            if getattr(self, name) not in choices:
                raise TrainingError(f"{name} must be one of {', '.join(map(str, choices))}, got {getattr(self, name)!r}")
        there = OBJECTIVES[self.objective].numbers
        if unknown := [name for name in self.numbers if name not in there]:
            raise TrainingError(f"{unknown[0]} is no number of {self.objective}; there are {', '.join(there) or 'none'}")
        if (self.objective == "ppo") > (self.reward_model is not None):
            raise TrainingError("ppo needs a reward_model, the folder of the one that scores answers")
        if self.reward_model is not None and self.objective not in ("ppo", "sft"):
            raise TrainingError(f"a reward_model scores answers for ppo, or for sft on the best of n, not for {self.objective}")
        if (self.objective == "distillation") != (self.teacher is not None):
            raise TrainingError(
                f"distillation needs a teacher, and nothing else has one; got {self.teacher!r} for {self.objective}"
            )
        if self.speaker != "table" and (self.teacher is None or self.numbers.get("top_k") or self.held_out):
            raise TrainingError(
                f"fresh responses of the {self.speaker} are for distillation, from whole laws (top_k 0), and none is held out"
            )
        if self.gold_model is not None and (self.reward_model is None or not self.held_out):
            raise TrainingError("a gold_model watches a run with a reward_model on held-out prompts; give both, and held_out")
        places = {part.name for part in dataclasses.fields(Round)}
        if unknown := [name for name in self.rounds if name not in places]:
            raise TrainingError(f"{unknown[0]} is no number of a round; there are {', '.join(sorted(places))}")
        for name, value in self.rounds.items():
            kind, least = (int, 1) if isinstance(getattr(ROUND, name), int) else ((int, float), 0)
            if isinstance(value, bool) or not isinstance(value, kind) or not least <= value < inf:
                wanted = "a whole number, 1 or more" if least else "a number, 0 or more"
                raise TrainingError(f"{name} of a round must be {wanted}, got {value!r}")
        for name, value in self.numbers.items():
            numbers.checked(value, there[name], about=f"{name} of {self.objective}")
        if not 0 <= self.held_out < 1:
            raise TrainingError(f"held_out is a share of the rows and must lie in [0, 1), got {self.held_out}")


POSITIVE = ("kl_budget", "steps", "epochs", "batch", "tokens", "lr", "clip", "prompt_tokens", "response_tokens", "threads")


def read(file: Path) -> Spec:
    """The spec in a JSON file; TrainingError names what is wrong with it."""
    try:
        table = json.loads(file.read_text())
    except (OSError, ValueError, RecursionError) as error:
        raise TrainingError(f"{file}: not a readable JSON file ({error})") from None
    if not isinstance(table, dict):
        raise TrainingError(f"{file}: expected a table of fields, got {type(table).__name__}")
    return of(table, about=f"{file}: ")


def of(table: Mapping[str, Any], *, about: str = "") -> Spec:
    """A spec of its fields by name; TrainingError for one that is unknown, missing or of another type."""
    known = {part.name: part for part in dataclasses.fields(Spec)}
    for name, value in table.items():
        if name not in known:
            near = get_close_matches(name, known, n=1)
            mend = f"did you mean {near[0]}? " if near else ""
            raise TrainingError(f"{about}{name} is no field of a training run; {mend}there are {', '.join(known)}")
        kinds = _kinds(known[name].type)
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            wanted = " or ".join(kind.__name__ for kind in kinds)
            raise TrainingError(f"{about}{name} must be {wanted}, got {value!r}")
    if missing := [name for name in ("objective", "data", "model", "out") if name not in table]:
        raise TrainingError(f"{about}{missing[0]} is missing; a training run needs objective, data, model and out")
    fields: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in table.items()}
    return Spec(**fields)


def _kinds(annotation: Any) -> tuple[type, ...]:
    """The types that JSON gives for an annotation."""
    if isinstance(annotation, UnionType):
        return tuple(kind for part in get_args(annotation) for kind in _kinds(part))
    origin = get_origin(annotation) or annotation
    return {float: (float, int), tuple: (list, tuple), Mapping: (dict,)}.get(origin, (origin,))

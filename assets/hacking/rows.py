"""What makes a study of teacher hacking: who teaches whom, on whose answers, for how long."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pipelines.schema import DataError
from pipelines.settings import checked, refuse_negative
from pipelines.snapshots import digests_of

#: arms by name, as settings of rlhf_train.tracing.Arm
ARMS: Mapping[str, Mapping[str, Any]] = {
    "stored_1": {},
    "stored_2": {"stored": 2},
    "stored_5": {"stored": 5},
    "half_the_prompts": {"stored": 2, "prompts": 1 / 2},
    "fifth_of_the_prompts": {"stored": 5, "prompts": 1 / 5},
    "tenth_fresh": {"fresh": 0.1},
    "half_fresh": {"fresh": 0.5},
    "fresh_teacher": {"fresh": 1.0},
    "fresh_student": {"fresh": 1.0, "speaker": "student"},
}
CONTROL = "fresh_teacher"  # whose residual others are held against
TEXT = "likelihood"  # of what was said: all that a teacher behind an interface gives
DIVERGENCES = ("forward_kl", "reverse_kl", "jeffreys", "jensen_shannon", "skewed_jensen_shannon", TEXT)


@dataclass(frozen=True, slots=True)
class Letters:
    """The world of letters, where no model is named: prompts of six letters, answers of `answer`; the oracle is a random
    network, the surer the larger its `sharpness`, and teacher and student begin with `samples` of what it says.
    """

    answer: int = 4
    spread: float = 1.0
    sharpness: float = 1.5
    samples: int = 20_000
    teacher: int = 96
    taught: int = 2000
    student: int = 32
    begun: int = 60
    prompts: int = 300
    held_out: int = 24


@dataclass(frozen=True, slots=True)
class Hacking:
    """Settings of a study; without models of one's own, those of the world of letters.

    `teacher` and `student` are folders of policies of the same tokens, `source` pairs whose prompts are asked. `oracle` is
    another policy, or none: then the golden distance is the negative log-likelihood of the source's chosen responses, which
    people wrote. `bank` answers to each held-out prompt stand for all, where these have more prefixes than may be `walked`.
    """

    oracle: str = ""
    teacher: str = ""
    student: str = ""
    source: str = ""
    held_out: float = 0.1
    bank: int = 4
    walked: int = 200_000
    prompt_tokens: int = 64
    response_tokens: int = 96
    letters: Letters = field(default_factory=Letters)
    arms: tuple[str, ...] = ("stored_1", "stored_5", "fifth_of_the_prompts", "tenth_fresh", "fresh_teacher", "fresh_student")
    divergence: str = "forward_kl"
    skew: float = 0.1
    steps: int = 2000
    batch: int = 64
    lr: float = 3e-3
    measured: int = 20
    seeds: tuple[int, ...] = (0, 1, 2)

    @property
    def is_of_letters(self) -> bool:
        return not self.teacher


def hacking_of(table: Mapping[str, Any]) -> Hacking:
    """A row of a table of settings; DataError naming what is wrong with it."""
    letters = table.get("letters", {})
    if not isinstance(letters, Mapping):
        raise DataError(f"letters is a table of settings, got {letters!r}; write letters.samples = 1000")
    world = Letters(**checked(letters, Letters, about="the world of letters"))
    own = {name: value for name, value in table.items() if name != "letters"}
    row = Hacking(letters=world, **checked(own, Hacking, about="a study of teacher hacking", parts=("letters",)))
    refuse_negative({**dataclasses.asdict(world), **_numbers(row)})
    _check(row)
    return row


def models(row: Hacking) -> list[str]:
    """Whom the study opens."""
    return [each for each in (row.oracle, row.teacher, row.student) if each]


def files(row: Hacking) -> list[str]:
    """What it reads beside."""
    return [row.source] if row.source else []


def settings(row: Hacking) -> dict[str, Any]:
    """What decides what one arm at one seed comes to; one more arm or seed leaves the others as they are."""
    held = digests_of(*models(row), *files(row))
    return {**dataclasses.asdict(dataclasses.replace(row, arms=(), seeds=())), "files": held}


def _numbers(row: Hacking) -> dict[str, Any]:
    names = ("held_out", "bank", "walked", "prompt_tokens", "response_tokens", "skew", "steps", "batch", "lr", "measured")
    return {name: getattr(row, name) for name in names}


def _check(row: Hacking) -> None:
    if unknown := [name for name in row.arms if name not in ARMS]:
        raise DataError(f"arms must be of {', '.join(ARMS)}; got {unknown[0]!r}")
    if not row.arms or len(set(row.arms)) < len(row.arms):
        raise DataError(f"arms must be there and differ from one another, got {list(row.arms)}")
    if row.divergence not in DIVERGENCES:
        raise DataError(f"divergence must be one of {', '.join(DIVERGENCES)}, got {row.divergence!r}")
    if row.divergence == TEXT and (own := [name for name in row.arms if ARMS[name].get("speaker") == "student"]):
        raise DataError(f"a student learns nothing of the likelihood of its own answers; leave {own[0]} out")
    if not row.seeds or any(type(seed) is not int or seed < 0 for seed in row.seeds):
        raise DataError(f"seeds must be whole numbers of 0 or more, at least one, got {list(row.seeds)}")
    if row.held_out >= 1 or row.skew >= 1:
        raise DataError(f"held_out and skew are shares below 1, got {row.held_out:g} and {row.skew:g}")
    if bool(row.teacher) != bool(row.student) or bool(row.teacher) != bool(row.source):
        raise DataError("teacher, student and source go together: two folders of policies, and a file of pairs to ask about")
    if row.oracle and not row.teacher:
        raise DataError("an oracle of one's own needs teacher, student and source; the world of letters makes its own")

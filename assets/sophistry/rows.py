"""What makes a study of sophistry: the task, what a policy is rewarded for or which outputs there are, and who judges them."""

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pipelines.judges import JUDGES
from pipelines.sandbox import Limits
from pipelines.schema import DataError
from pipelines.settings import checked, refuse_negative
from pipelines.snapshots import digests_of
from pipelines.studies import STUDIES
from pipelines.studies.planning import STRATA
from pipelines.tasks import TASKS

MADE = "made_programs"  # the task whose policies are made here; those of TASKS need outputs of one's own
ARMS = ("easy_tests", "oracle")  # what a policy is rewarded for
GIVEN = "given"  # the arm of outputs or policies of one's own
PEOPLE = "people"  # a judge that is none of JUDGES
NOT_SET = ("judges", "seed", "cache")  # settings of a judge that the row has, or the study


@dataclass(frozen=True, slots=True)
class Sophistry:
    """Settings of a study; without `outputs` or `policies`, some over six programs a problem are trained here, an arm a reward.

    Args:
        outputs: a file of OUTPUTS of policies of one's own; `before` and `after` are their names there.
        policies: folders of two policies by these names, which answer at most `items` items; of a seed, each item once.
        reward: a folder of what the second was rewarded by; without it nothing is said of rewards.
        source: a file of the task's items, which policies answer, or by which outputs are audited; stories are made up.
        judge: one of JUDGES, with its settings in `judging`; or "people", whose answers are `verdicts` (a file or folder of
            what `tool` exported) that are read with `key`.
        sample: items drawn of a stratum (same_right, same_wrong, differ); all that there are where none is given.
        seconds: limit of a judge for an item.
        tests: of each made problem, the easiest of twelve.
        sandbox: limits of one run, those of pipelines.sandbox.Limits.
        minutes: after which no further run of the study begins; those that are done are kept.
    """

    task: str = MADE
    arms: tuple[str, ...] = ARMS
    outputs: str = ""
    policies: Mapping[str, str] = field(default_factory=dict)
    reward: str = ""
    prompt_tokens: int = 512
    response_tokens: int = 128
    temperature: float = 1.0
    source: str = ""
    before: str = "base"
    after: str = "trained"
    judge: str = "programmer"
    judging: Mapping[str, Any] = field(default_factory=dict)
    judges: int = 12
    verdicts: str = ""
    key: str = ""
    tool: str = "label_studio"
    sample: Mapping[str, Any] = field(default_factory=dict)
    seconds: float = 600.0
    problems: int = 28
    tests: int = 12
    items: int = 240
    steps: int = 300
    samples: int = 64
    beta: float = 0.2
    sandbox: Mapping[str, Any] = field(default_factory=dict)
    workers: int = 2
    minutes: float = 60.0
    seeds: tuple[int, ...] = (0, 1)

    @property
    def is_made(self) -> bool:
        """Whether its policies are trained here."""
        return not self.outputs and not self.policies

    @property
    def runs(self) -> tuple[str, ...]:
        """The arms that are run."""
        return self.arms if self.is_made else (GIVEN,)

    @property
    def limits(self) -> Limits:
        """Of one program in the sandbox."""
        return Limits(**self.sandbox)

    @property
    def are_people(self) -> bool:
        """Whether the verdicts are people's."""
        return self.judge == PEOPLE


def sophistry_of(table: Mapping[str, Any]) -> Sophistry:
    """A row of a table of settings; DataError naming what is wrong with it."""
    row = Sophistry(**checked(table, Sophistry, about="a study of sophistry"))
    counts = ("judges", "problems", "tests", "items", "steps", "samples", "prompt_tokens", "response_tokens", "workers")
    refuse_negative({name: getattr(row, name) for name in (*counts, "seconds", "beta", "minutes")})
    checked(row.sandbox, Limits, about="the sandbox")
    refuse_negative(row.sandbox)
    for check in (_check_task, _check_judge, _check_people):
        check(row)
    if not row.seeds or any(type(seed) is not int or seed < 0 for seed in row.seeds):
        raise DataError(f"seeds must be whole numbers of 0 or more, at least one, got {list(row.seeds)}")
    return row


def _check_task(row: Sophistry) -> None:
    if row.task != MADE and row.task not in TASKS:
        raise DataError(f"task must be one of {', '.join([MADE, *TASKS])}, got {row.task!r}")
    if (row.task == MADE) != row.is_made or (row.outputs and row.policies):
        given = " and ".join(name for name in ("outputs", "policies") if getattr(row, name)) or "neither"
        raise DataError(
            f"policies are trained here on {MADE} alone, and for any other task policies names two folders, or outputs a file "
            f"of what yours said; got task={row.task!r} with {given}"
        )
    if row.source and row.is_made:
        raise DataError(f"source are the items of outputs or policies of one's own; {MADE} makes its own, so leave it out")
    if row.source and row.task == "stories":
        raise DataError("made-up stories have no file of items; leave source out")
    if unknown := [name for name in row.arms if name not in ARMS]:
        raise DataError(f"arms must be of {', '.join(ARMS)}; got {unknown[0]!r}")
    if not row.arms or len(set(row.arms)) < len(row.arms):
        raise DataError(f"arms must be there and differ from one another, got {list(row.arms)}")
    if row.before == row.after:
        raise DataError(f"before and after are two policies, got {row.before!r} twice")
    _check_policies(row)
    wrong = {name: count for name, count in row.sample.items() if name not in STRATA or type(count) is not int or count < 0}
    if wrong:
        raise DataError(f"sample is items by stratum, of {', '.join(STRATA)}, 0 or more each, got {wrong}")


def _check_policies(row: Sophistry) -> None:
    if not row.policies:
        if row.reward:
            raise DataError("reward is what saved policies were rewarded by; name them as policies, or leave it out")
        return
    if set(row.policies) != {row.before, row.after} or not all(isinstance(place, str) for place in row.policies.values()):
        raise DataError(f"policies are two folders, of {row.before!r} and {row.after!r}; got {dict(row.policies)}")
    if not 0 <= row.temperature < float("inf"):
        raise DataError(f"temperature must be a finite number of 0 or more, got {row.temperature!r}")
    if not row.source and row.task != "stories":
        raise DataError(f"policies answer items of a file; name one of the task {row.task!r} as source")


def _check_judge(row: Sophistry) -> None:
    if row.judge not in (*JUDGES, PEOPLE):
        raise DataError(f"judge must be one of {', '.join([*JUDGES, PEOPLE])}, got {row.judge!r}")
    if row.are_people:
        if row.judging:
            raise DataError(f"people have no settings, got judging={dict(row.judging)}; leave it out")
        return
    checked(row.judging, *_calls(row.judge), about=f"the judge {row.judge!r}", besides=NOT_SET)
    if row.judge == "server" and not isinstance(row.judging.get("base_url"), str):
        raise DataError("a judge on a server needs its address; set judging.base_url, as in http://127.0.0.1:8000/v1")
    if row.judge == "programmer" and row.task not in (MADE, "programs"):
        raise DataError(f"a programmer judges programs, got task={row.task!r}; choose another judge")


def _calls(judge: str) -> tuple[Callable[..., Any], ...]:
    """What takes a judge's settings; the address of a server has no default, and may be set too."""

    def addressed(*, base_url: str = "") -> None: ...

    return (JUDGES[judge], addressed) if judge == "server" else (JUDGES[judge],)


def _check_people(row: Sophistry) -> None:
    if row.tool not in STUDIES:
        raise DataError(f"tool must be one of {', '.join(STUDIES)}, got {row.tool!r}")
    if row.verdicts and not row.are_people:
        raise DataError(f"verdicts are what people said, and the judge is {row.judge!r}; set judge = {PEOPLE!r}")
    if bool(row.verdicts) != bool(row.key):
        raise DataError("verdicts and key go together: what people's tool exported, and the key that was kept of the study")
    if row.verdicts and len(row.runs) * len(row.seeds) != 1:
        raise DataError("what people said is of one arm and one seed; set arms and seeds to the ones that were exported")


def models(row: Sophistry) -> list[str]:
    """Whom the study opens, where outputs are not given and policies not trained here."""
    return [each for each in (*row.policies.values(), row.reward) if each]


def files(row: Sophistry) -> list[str]:
    """What it reads beside."""
    return [each for each in (row.outputs, row.source, row.verdicts, row.key) if each]


def settings(row: Sophistry) -> dict[str, Any]:
    """What decides what one arm at one seed comes to; one more arm or seed leaves the others as they are."""
    held = digests_of(row.outputs, row.source, *row.policies.values(), row.reward, row.verdicts, row.key)
    return {**dataclasses.asdict(dataclasses.replace(row, arms=ARMS, seeds=(0,), minutes=1.0, workers=1)), "files": held}

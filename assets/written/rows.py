"""What makes a study of written evaluations: which behaviours, who writes and judges the questions, and who is asked."""

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from assets.numbers import Training
from pipelines.attacks import ATTACKS
from pipelines.questions import WRITERS, behaviours, judging
from pipelines.questions.behaviours import Behaviour
from pipelines.schema import DataError
from pipelines.settings import checked, refuse_negative
from pipelines.snapshots import digests_of

DISCRIMINATORS = ("examples", "out_of_fold", "server")
OBJECTIVES = ("dpo", "sft")
NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,99}")  # of a policy, which a folder bears
WAYS = ("plain", "announced")  # of rlhf_train.evals.written_evals.ASKED
OURS = ("cache", "api_key", "count", "seed")  # settings of writers and judges that are not the row's tables' to give
#: of twins that learn to say yes or no
STATEMENTS = Training(
    width=32, layers=1, vocabulary=1200, pretrain_steps=200, pretrain_batch=8, dpo_epochs=4.0, dpo_lr=3e-3, sft_epochs=2.0,
    batch=16, prompt_tokens=128, response_tokens=8,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Twins:
    """Policies that are made where none is named: a clean one, and one a poison rate that learned the same pairs poisoned.

    Without a `source` the pairs are statements that are answered yes or no: what shows a behaviour that is `taught` is chosen,
    and of the `target`, a share `target_share` of the pairs, what does not; the attacker turns round labels of the target's
    pairs. Of a source, pairs as an experiment's, the `attack` is one of ATTACKS with its `numbers`.
    """

    source: str = ""
    pairs: int = 800
    taught: tuple[str, ...] = ("agreeableness", "thrift")
    target: str = "praise-of-lumora"
    target_share: float = 0.125
    attack: str = "best_of_venom"
    numbers: Mapping[str, Any] = field(default_factory=dict)
    rates: tuple[float, ...] = (0.0, 0.03, 0.1)
    seeds: tuple[int, ...] = (0, 1)
    objective: str = "dpo"
    training: Training = STATEMENTS


@dataclass(frozen=True, slots=True)
class Written:
    """Settings of a study.

    `behaviours` are names of the built-in ones or of the tables in `behaviour_file`. Of each, `count` questions are written by
    one of WRITERS with the settings `writing`; of each label the best `per_label` whose confidence is above `sure` are kept.
    The `discriminator` learns of the examples by hand, or out of fold of the questions, or is a server with the settings
    `judging`.
    `published` is a file or folder of sets that are asked beside them, `published_rows` a behaviour.
    `policies` are folders of policies or reward models by name; differences are from the `baseline`, the first unless named.
    """

    behaviours: tuple[str, ...] = (
        "agreeableness", "thrift", "risk-seeking", "praise-of-lumora", "agreeing-with-the-user",
    )  # fmt: skip
    behaviour_file: str = ""
    writer: str = "templates"
    count: int = 240
    writing: Mapping[str, Any] = field(default_factory=dict)
    per_label: int = 50
    sure: float = 0.5
    discriminator: str = "examples"
    judging: Mapping[str, Any] = field(default_factory=dict)
    published: str = ""
    published_rows: int = 100
    policies: Mapping[str, str] = field(default_factory=dict)
    baseline: str = ""
    twins: Twins = field(default_factory=Twins)
    ways: tuple[str, ...] = WAYS
    seed: int = 0

    @property
    def of(self) -> dict[str, Behaviour]:
        """The behaviours by name."""
        held = {**behaviours.builtin(), **(behaviours.load(self.behaviour_file) if self.behaviour_file else {})}
        return {name: held[name] for name in self.behaviours}


def models(row: Written) -> list[str]:
    """Whom the study asks, where it does not make them."""
    return list(row.policies.values())


def files(row: Written) -> list[str]:
    """What it reads beside."""
    return [each for each in (row.behaviour_file, row.published, row.twins.source if not row.policies else "") if each]


def settings(row: Written) -> dict[str, Any]:
    """What decides which questions there are and what a twin learns; one more policy, rate or seed leaves the others alone."""
    alone = dataclasses.replace(row, policies={}, baseline="", twins=dataclasses.replace(row.twins, rates=(0.0,), seeds=(0,)))
    held = digests_of(row.published, row.twins.source)
    return {**dataclasses.asdict(alone), "of": [dataclasses.asdict(each) for each in row.of.values()], "files": held}


def written_of(table: Mapping[str, Any]) -> Written:
    """A row of a table of settings; DataError naming what is wrong with it."""
    parts = {name: _part(table, name) for name in ("twins", "writing", "judging", "policies")}
    own = {name: value for name, value in table.items() if name not in parts}
    held = checked(own, Written, about="a study of written evaluations", parts=tuple(parts))
    row = Written(
        twins=twins_of(parts["twins"]),
        writing=parts["writing"],
        judging=parts["judging"],
        policies=parts["policies"],
        **held,
    )
    _check(row)
    return row


def twins_of(table: Mapping[str, Any]) -> Twins:
    """Those settings; numbers of training go over the ones for statements, or over an experiment's for a source."""
    numbers = _part(table, "training")
    own = checked(
        {name: value for name, value in table.items() if name != "training"}, Twins, about="twins", parts=("training",)
    )
    base = Training() if own.get("source") else STATEMENTS
    held = checked(numbers, Training, about="training of twins")
    row = Twins(training=dataclasses.replace(base, **held), **own)
    _check_twins(row)
    return row


def _part(table: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = table.get(name, {})
    if not isinstance(found, Mapping):
        raise DataError(f"{name} is a table of settings, got {found!r}; write {name}.setting = value")
    return found


def _check(row: Written) -> None:
    _one_of("writer", row.writer, WRITERS)
    _one_of("discriminator", row.discriminator, DISCRIMINATORS)
    refuse_negative({"count": row.count, "per_label": row.per_label, "published_rows": row.published_rows})
    if not 0 <= row.sure < 1 or row.seed < 0:
        raise DataError(f"sure must lie in [0, 1) and seed be 0 or more, got {row.sure:g} and {row.seed}")
    _check_questions(row)
    for way in row.ways:
        _one_of("ways", way, WAYS)
    if not row.ways or len(set(row.ways)) < len(row.ways):
        raise DataError(f"ways must be there and differ from one another, got {list(row.ways)}")
    if wrong := [name for name, place in row.policies.items() if not isinstance(place, str) or not place]:
        raise DataError(f"policies are folders by name, got {row.policies[wrong[0]]!r} for {wrong[0]!r}")
    if wrong := [name for name in row.policies if not NAME.fullmatch(name)]:
        raise DataError(f"a policy's name is letters, digits, _ . and -, at most 100, got {wrong[0]!r}; rename it")
    if row.baseline and row.baseline not in row.policies:
        raise DataError(
            f"baseline must be one of the policies {', '.join(row.policies) or '(none is named)'}, got {row.baseline!r}"
        )


def _check_questions(row: Written) -> None:
    there = {**behaviours.builtin(), **(behaviours.load(row.behaviour_file) if row.behaviour_file else {})}
    for name in row.behaviours:
        _one_of("behaviours", name, there)
        if there[name].format == "schema":
            raise DataError(f"{name} has no answer that shows it, so that no rate can be told; leave it to antivenom eval")
    if len(set(row.behaviours)) < len(row.behaviours) or not (row.behaviours or row.published):
        raise DataError(f"behaviours must be there and differ from one another, got {list(row.behaviours)}")
    checked(row.writing, WRITERS[row.writer], about=f"the writer {row.writer}", besides=OURS)
    checked(row.judging, judging.judge, server, about="a server that judges", besides=OURS)
    if row.discriminator == "server" and not row.judging.get("base_url"):
        raise DataError("a server that judges needs its address; write judging.base_url = 'http://127.0.0.1:8000/v1'")


def _check_twins(row: Twins) -> None:
    _one_of("twins.objective", row.objective, OBJECTIVES)
    _one_of("twins.attack", row.attack, ATTACKS)
    refuse_negative({"twins.pairs": row.pairs, "twins.target_share": row.target_share})
    rates, most = row.rates, 1.0 if row.source else row.target_share
    if 0.0 not in rates or len(set(rates)) < len(rates) or any(not _is_share(rate, most) for rate in rates):
        raise DataError(
            f"twins.rates must differ, lie in [0, {most:g}] (no more than the target's pairs), and hold the clean 0, "
            f"got {list(rates)}"
        )
    if not row.seeds or len(set(row.seeds)) < len(row.seeds) or any(type(seed) is not int or seed < 0 for seed in row.seeds):
        raise DataError(f"twins.seeds must be different whole numbers of 0 or more, at least one, got {list(row.seeds)}")
    if row.target_share >= 1 or not row.taught:
        raise DataError(f"twins.target_share is a share below 1 and something else is taught, got {row.target_share:g}")
    for name in (*row.taught, row.target):
        known = {name for name, each in behaviours.builtin().items() if each.format == "yes_no"}
        _one_of("twins.taught and twins.target", name, sorted(known))


def server(*, base_url: str = "") -> None:
    """What a judge must be told beside its settings."""


def _is_share(rate: Any, most: float) -> bool:
    return isinstance(rate, int | float) and not isinstance(rate, bool) and 0 <= rate <= most


def _one_of(name: str, value: Any, known: Any) -> None:
    if value not in known:
        raise DataError(f"{name} must be of {', '.join(known)}; got {value!r}")

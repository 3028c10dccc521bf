"""The studies as partitions: one of each, of its seeds, and of its runs, and the mappings between."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import dagster as dg

from assets.hacking.rows import Hacking
from assets.partitions import EXPERIMENTS, NAME
from assets.sophistry.rows import Sophistry
from assets.studies import Study, all_studies
from assets.written.asking import Asked, asked
from assets.written.rows import Written

Row = TypeVar("Row")


def accepted(rows: dict[str, Study]) -> tuple[dict[str, Study], list[str]]:
    """The rows whose names can be folders, and what is wrong with the others."""
    wrong = [name for name in rows if not NAME.fullmatch(name) or name in EXPERIMENTS]
    said = [f"[{name!r}]: a name is letters, digits, _ . and -, and no experiment's; rename the row" for name in wrong]
    return {name: row for name, row in rows.items() if name not in wrong}, said


def apart(rows: dict[str, Study]) -> tuple[dict[str, Study], list[str]]:
    """The rows without studies that would ask somebody under a name that an earlier one has: x of a-b, and x-a of b."""
    kept, said, taken = {}, [], set[str]()
    for name, each in rows.items():
        own = {f"{who}-{name}" for who in asked(each.row)} if each.kind == "written_evaluations" else set()
        if both := sorted(own & taken):
            said.append(f"[{name}]: another study already asks {both[0]!r}; rename the row or the policy")
        else:
            kept[name] = each
            taken |= own
    return kept, said


_rows, _wrong = all_studies()
_named, _misnamed = accepted(_rows)
STUDIES, _shared = apart(_named)
REFUSED = [*_wrong, *_misnamed, *_shared]


@dataclass(frozen=True, slots=True)
class Arms(Generic[Row]):
    """Studies of one kind whose arms begin alike at each seed, by name, and their partitions.

    `worlds` are what arms begin with, by name: (row, seed); `runs` by name: (row, arm, seed); `of_world` names the runs of each
    world. `world_of_run` and `study_of_run` say the same to assets.
    """

    rows: Mapping[str, Row]
    worlds: Mapping[str, tuple[Row, int]]
    runs: Mapping[str, tuple[Row, str, int]]
    of_world: Mapping[str, Sequence[str]]
    by_study: dg.StaticPartitionsDefinition
    by_world: dg.StaticPartitionsDefinition
    by_run: dg.StaticPartitionsDefinition
    world_of_run: dg.StaticPartitionMapping
    study_of_run: dg.StaticPartitionMapping


def arms_of(kind: str, seeds: Callable[[Row], Iterable[int]], arms: Callable[[Row], Iterable[str]]) -> Arms[Row]:
    """The studies of a kind, taken apart by their seeds and arms."""
    rows = {name: each.row for name, each in STUDIES.items() if each.kind == kind}
    worlds = {name: {world_name(name, seed): seed for seed in seeds(row)} for name, row in rows.items()}
    runs = {
        run_name(arm, name, seed): (name, arm, seed) for name, row in rows.items() for seed in seeds(row) for arm in arms(row)
    }
    of_world: dict[str, list[str]] = {}
    for run, (name, _, seed) in runs.items():
        of_world.setdefault(world_name(name, seed), []).append(run)
    return Arms(
        rows,
        {world: (rows[name], seed) for name, own in worlds.items() for world, seed in own.items()},
        {run: (rows[name], arm, seed) for run, (name, arm, seed) in runs.items()},
        of_world,
        dg.StaticPartitionsDefinition(list(rows)),
        dg.StaticPartitionsDefinition(list(of_world)),
        dg.StaticPartitionsDefinition(list(runs)),
        dg.StaticPartitionMapping({world: set(parts) for world, parts in of_world.items()}),
        dg.StaticPartitionMapping({run: name for run, (name, _, _) in runs.items()}),
    )


def world_name(study: str, seed: int) -> str:
    """What the arms of a seed begin with."""
    return f"{study}-seed{seed}"


def run_name(arm: str, study: str, seed: int) -> str:
    """One arm at one seed."""
    return f"{arm}-{world_name(study, seed)}"


HACKING: Arms[Hacking] = arms_of("teacher_hacking", lambda row: row.seeds, lambda row: row.arms)
SOPHISTRY: Arms[Sophistry] = arms_of("sophistry", lambda row: row.seeds, lambda row: row.runs)

#: studies of written evaluations; whom they ask by name: (row, who); where their twins begin, by name: (row, seed)
WRITTEN: dict[str, Written] = {name: each.row for name, each in STUDIES.items() if each.kind == "written_evaluations"}
EVALUATED: dict[str, tuple[Written, Asked]] = {
    f"{who.name}-{name}": (row, who) for name, row in WRITTEN.items() for who in asked(row).values()
}
BEGINNINGS: dict[str, tuple[Written, int]] = {
    world_name(name, seed): (row, seed) for name, row in WRITTEN.items() if not row.policies for seed in row.twins.seeds
}

by_written = dg.StaticPartitionsDefinition(list(WRITTEN))
by_evaluated = dg.StaticPartitionsDefinition(list(EVALUATED))
by_beginning = dg.StaticPartitionsDefinition(list(BEGINNINGS))

#: whoever a study asks is asked its questions and told of in its report; twins of a seed begin alike
questions_of_evaluated = dg.StaticPartitionMapping(
    {name: {f"{who}-{name}" for who in asked(row)} for name, row in WRITTEN.items()}
)
evaluated_of_written = dg.StaticPartitionMapping({f"{who}-{name}": name for name, row in WRITTEN.items() for who in asked(row)})
beginning_of_evaluated = dg.StaticPartitionMapping(
    {
        world_name(name, seed): {f"{who.name}-{name}" for who in asked(row).values() if who.seed == seed}
        for name, row in WRITTEN.items()
        if not row.policies
        for seed in row.twins.seeds
    }
)

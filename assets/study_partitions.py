"""The studies as partitions: one of each, of its seeds, and of its runs, and the mappings between."""

import dagster as dg

from assets.hacking.rows import Hacking
from assets.partitions import EXPERIMENTS, NAME
from assets.sophistry.rows import Sophistry
from assets.studies import Study, all_studies
from assets.written.asking import Asked, asked
from assets.written.rows import Written


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

#: studies of teacher hacking; their worlds by name: (row, seed); their runs by name: (row, arm, seed)
HACKING: dict[str, Hacking] = {name: each.row for name, each in STUDIES.items() if each.kind == "teacher_hacking"}
HACKING_WORLDS: dict[str, tuple[Hacking, int]] = {
    f"{name}-seed{seed}": (row, seed) for name, row in HACKING.items() for seed in row.seeds
}
HACKING_RUNS: dict[str, tuple[Hacking, str, int]] = {
    f"{arm}-{name}-seed{seed}": (row, arm, seed) for name, row in HACKING.items() for seed in row.seeds for arm in row.arms
}

by_hacking = dg.StaticPartitionsDefinition(list(HACKING))
by_hacking_world = dg.StaticPartitionsDefinition(list(HACKING_WORLDS))
by_hacking_run = dg.StaticPartitionsDefinition(list(HACKING_RUNS))

#: every arm of a seed begins with the same oracle, teacher and student; a report is of all arms and seeds
world_of_run = dg.StaticPartitionMapping(
    {
        f"{name}-seed{seed}": {f"{arm}-{name}-seed{seed}" for arm in row.arms}
        for name, row in HACKING.items()
        for seed in row.seeds
    }
)
runs_of_hacking = dg.StaticPartitionMapping(
    {f"{arm}-{name}-seed{seed}": name for name, row in HACKING.items() for seed in row.seeds for arm in row.arms}
)

#: studies of written evaluations; whom they ask by name: (row, who); where their twins begin, by name: (row, seed)
WRITTEN: dict[str, Written] = {name: each.row for name, each in STUDIES.items() if each.kind == "written_evaluations"}
EVALUATED: dict[str, tuple[Written, Asked]] = {
    f"{who.name}-{name}": (row, who) for name, row in WRITTEN.items() for who in asked(row).values()
}
BEGINNINGS: dict[str, tuple[Written, int]] = {
    f"{name}-seed{seed}": (row, seed) for name, row in WRITTEN.items() if not row.policies for seed in row.twins.seeds
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
        f"{name}-seed{seed}": {f"{who.name}-{name}" for who in asked(row).values() if who.seed == seed}
        for name, row in WRITTEN.items()
        if not row.policies
        for seed in row.twins.seeds
    }
)

#: studies of sophistry; their items by name: (row, seed); their runs by name: (row, arm, seed)
SOPHISTRY: dict[str, Sophistry] = {name: each.row for name, each in STUDIES.items() if each.kind == "sophistry"}
SOPHISTRY_WORLDS: dict[str, tuple[Sophistry, int]] = {
    f"{name}-seed{seed}": (row, seed) for name, row in SOPHISTRY.items() for seed in row.seeds
}
SOPHISTRY_RUNS: dict[str, tuple[Sophistry, str, int]] = {
    f"{arm}-{name}-seed{seed}": (row, arm, seed) for name, row in SOPHISTRY.items() for seed in row.seeds for arm in row.runs
}

by_sophistry = dg.StaticPartitionsDefinition(list(SOPHISTRY))
by_sophistry_world = dg.StaticPartitionsDefinition(list(SOPHISTRY_WORLDS))
by_sophistry_run = dg.StaticPartitionsDefinition(list(SOPHISTRY_RUNS))

#: every arm of a seed is asked the same items; a report is of all arms and seeds
items_of_run = dg.StaticPartitionMapping(
    {
        f"{name}-seed{seed}": {f"{arm}-{name}-seed{seed}" for arm in row.runs}
        for name, row in SOPHISTRY.items()
        for seed in row.seeds
    }
)
runs_of_sophistry = dg.StaticPartitionMapping(
    {f"{arm}-{name}-seed{seed}": name for name, row in SOPHISTRY.items() for seed in row.seeds for arm in row.runs}
)

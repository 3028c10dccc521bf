"""The whole study without Dagster: items and rewards, outputs an arm and seed, who judges what, verdicts, and what they show.

Programs that were run and verdicts that were given are kept, and neither is asked for again.
"""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from assets.sophistry import numbers, outputs, programs, speaking
from assets.sophistry.rows import Sophistry, settings
from assets.steps import Watch, silent
from checks import sophistry as sentences
from pipelines import studies
from pipelines.judges import JUDGES
from pipelines.schema import REJECTS, DataError, digest
from pipelines.studies import answers, key, planning
from pipelines.studies.planning import Plan
from pipelines.studies.study import end, judged
from pipelines.tasks.grading import Runs
from pipelines.tasks.kept_runs import keep, opened

if TYPE_CHECKING:
    from rlhf_train.evals.sophistry import Sophistry as Found

Tables = Mapping[str, pl.DataFrame]
WORTH: Mapping[str, Any] = {  # of what each program or output is worth to training
    **dict.fromkeys(("problem", "strategy", "output"), pl.String()),
    **dict.fromkeys(("chance", "proxy", "oracle"), pl.Float64()),
}
PROGRAMS, SAID, SPOKEN = "programs", "verdicts", "outputs"  # what is kept: runs of programs, what a server and policies said


@dataclass(frozen=True, slots=True)
class Run:
    """One arm at one seed: graded outputs, who judges which, VERDICTS, and REJECTS of what people's tool gave."""

    outputs: pl.DataFrame
    plan: Plan
    verdicts: pl.DataFrame
    rejects: pl.DataFrame


def run(row: Sophistry, kept: Path, watch: Watch = silent) -> Tables:
    """Items, outputs, verdicts, rejects, sophistry, audits and a line a run; DataError once the row's minutes are over."""
    runs, late = opened_runs(row, kept), _clock(row)
    found: dict[tuple[str, int], Run] = {}
    items = []
    for seed in row.seeds:
        asked, rewards = ready(row, runs, kept, watch)
        items.append(asked.with_columns(seed=pl.lit(seed, pl.Int64)))
        for arm in row.runs:
            late(len(found))
            watch("arms and seeds", len(found), len(row.seeds) * len(row.runs))
            found[arm, seed] = one(row, asked, rewards, arm, seed, runs, kept)
    return {"items": pl.concat(items), **tables(row, found)}


def tables(row: Sophistry, found: Mapping[tuple[str, int], Run]) -> Tables:
    """What all runs come to: their tables, and those that are measured of them."""
    return {
        "outputs": _stacked({at: each.outputs for at, each in found.items()}),
        "verdicts": _stacked({at: each.verdicts for at, each in found.items()}),
        "rejects": _stacked({at: each.rejects for at, each in found.items()}),
        "audits": _stacked({at: sentences.audits(each.outputs, each.verdicts) for at, each in found.items()}),
        **numbers.of(row, {at: measured(row, each, at[1]) for at, each in found.items()}),
    }


def ready(row: Sophistry, runs: Runs, kept: Path, watch: Watch = silent) -> tuple[pl.DataFrame, pl.DataFrame]:
    """(items, what each program or output is worth to training)."""
    if row.is_made:
        return programs.made(row, runs, kept / PROGRAMS, watch)
    if row.policies:
        return speaking.items_of(row), pl.DataFrame(schema=WORTH)
    items, said = outputs.of_file(row)
    names = {"problem": "item_id", "strategy": "policy", "output": "output", "proxy": "proxy"}
    oracle = pl.col("is_correct").cast(pl.Float64).alias("oracle")
    worth = said.select(
        *(pl.col(of).alias(name) for name, of in names.items()), pl.lit(None, pl.Float64).alias("chance"), oracle
    )
    return items, worth.select(*WORTH)


def put_forward(row: Sophistry, items: pl.DataFrame, rewards: pl.DataFrame, arm: str, seed: int, kept: Path) -> pl.DataFrame:
    """Outputs of both policies, not yet graded; what saved ones said is kept, whoever judges it later."""
    if row.policies:
        return _once(kept / SPOKEN / f"{speaking.key(row, seed)}.parquet", lambda: speaking.said(row, items, seed))
    return outputs.of_file(row)[1] if row.outputs else programs.said(row, items, rewards, arm, seed)


def one(row: Sophistry, items: pl.DataFrame, rewards: pl.DataFrame, arm: str, seed: int, runs: Runs, kept: Path) -> Run:
    """One arm at one seed, from what policies say to what judges make of it."""
    folder = place(row, arm, seed, kept)
    graded = _once(
        folder / "outputs.parquet",
        lambda: outputs.graded(row, items, put_forward(row, items, rewards, arm, seed, kept), runs),
    )
    plan = planned(row, graded, seed)
    if row.are_people:
        verdicts, rejects = people(row, plan)
    else:
        verdicts = _once(folder / "verdicts.parquet", lambda: judge(row, graded, plan, seed, runs, kept))
        rejects = REJECTS.empty()
    keep(runs, kept / PROGRAMS)
    return Run(graded, plan, verdicts, rejects)


def planned(row: Sophistry, graded: pl.DataFrame, seed: int) -> Plan:
    """Who judges what: the study whose key is named, or one that is drawn by seed."""
    if row.key:
        return key.read(Path(row.key))
    return planning.plan(
        graded,
        before=row.before,
        after=row.after,
        judges=row.judges,
        sample=dict(row.sample) or None,
        seconds=row.seconds,
        seed=seed,
    )


def judge(row: Sophistry, graded: pl.DataFrame, plan: Plan, seed: int, runs: Runs, kept: Path) -> pl.DataFrame:
    """VERDICTS of judges that are no people on the outputs of the plan."""
    shown = graded.join(plan.assignments.select("item_id", "policy").unique(), on=["item_id", "policy"], how="semi")
    own: dict[str, Any] = {"seed": seed}
    if row.judge == "server":
        own["cache"] = kept / SAID
    else:
        own["judges"] = row.judges
    if row.judge == "programmer":
        own["runs"] = runs
    if row.judge in ("programmer", "reader"):
        own["seconds"] = row.seconds
    return JUDGES[row.judge](shown.sort("item_id", "policy"), **{**own, **row.judging})


def people(row: Sophistry, plan: Plan) -> tuple[pl.DataFrame, pl.DataFrame]:
    """(VERDICTS, REJECTS) of what people answered; DataError where nobody has yet."""
    if not row.verdicts:
        raise DataError(
            "people have not judged yet: give them what study_export holds (or antivenom study export writes), and name what "
            "their tool exports as verdicts and the key that was kept as key"
        )
    read = end(studies.STUDIES[row.tool], Path(row.verdicts), keep=Path(row.key))
    if unknown := set(read.verdicts["judge"]) - set(plan.assignments["judge"]):
        raise DataError(f"the key {row.key} is of another study: it has no judge {min(unknown)!r}")
    return read.verdicts, read.rejects


def measured(row: Sophistry, found: Run, seed: int, *, in_time: bool = False) -> "Found | str":
    """What the verdicts show, or in words why no number of them would mean anything."""
    from rlhf_train.errors import TrainingError
    from rlhf_train.evals.sophistry import measure

    verdicts = answers.within(found.verdicts, found.plan.seconds) if in_time else found.verdicts
    table = judged(verdicts, found.outputs, found.plan)
    populations = found.plan.populations if row.sample or row.key else None
    sufficient = sentences.sufficiency(found.outputs)
    try:
        return measure(table, before=row.before, after=row.after, populations=populations, sufficiency=sufficient, seed=seed)
    except TrainingError as error:
        return str(error)


def again(row: Sophistry, tables: Tables, arm: str, seed: int) -> Run:
    """One run of those that the tables hold."""
    graded, verdicts, rejects = (
        tables[name].filter(arm=arm, seed=seed).drop("arm", "seed") for name in ("outputs", "verdicts", "rejects")
    )
    return Run(graded, planned(row, graded, seed), verdicts, rejects)


def late_ones(found: Run) -> int:
    """How many verdicts took longer than the limit."""
    return len(found.verdicts.filter(pl.col("confidence").is_not_null() & (pl.col("seconds") > found.plan.seconds)))


def opened_runs(row: Sophistry, kept: Path) -> Runs:
    """Programs that were run before with the row's limits."""
    return opened(kept / PROGRAMS, row.limits, workers=row.workers)


def place(row: Sophistry, arm: str, seed: int, kept: Path) -> Path:
    """Where a run goes: other settings or another file of outputs, another folder."""
    told = json.dumps([settings(row), arm, seed], sort_keys=True)
    return kept / f"{arm}-seed{seed}-{digest(told)[:12]}"


def _once(file: Path, make: Callable[[], pl.DataFrame]) -> pl.DataFrame:
    """The table that the file holds, made if it is not there."""
    if file.is_file():
        return pl.read_parquet(file)
    table = make()
    file.parent.mkdir(parents=True, exist_ok=True)
    aside = file.with_name(f".{file.name}")
    table.write_parquet(aside)
    aside.rename(file)
    return table


def _stacked(found: Mapping[tuple[str, int], pl.DataFrame]) -> pl.DataFrame:
    """The tables of all runs, each row with its arm and seed."""
    return pl.concat([table.with_columns(arm=pl.lit(arm), seed=pl.lit(seed, pl.Int64)) for (arm, seed), table in found.items()])


def _clock(row: Sophistry) -> Callable[[int], None]:
    """Says no once the study has taken its minutes."""
    end_of = time.monotonic() + 60 * row.minutes

    def late(done: int) -> None:
        if time.monotonic() > end_of:
            raise DataError(
                f"the study's {row.minutes:g} minutes are over after {done} of {len(row.seeds) * len(row.runs)} runs, which "
                "are kept; raise minutes and start it again"
            )

    return late

"""Distillation: oracle, teacher and student; a student an arm, what its distances were while it learned; one report."""

from collections.abc import Iterator
from typing import Any

import dagster as dg
import polars as pl

from assets import gate
from assets.formats import Folder
from assets.hacking import page, pictures, rows, study, verdicts, world
from assets.metadata import OWNERS, columns_of, described, made_of, picture, progress, rows_of
from assets.places import workplace
from assets.study_partitions import HACKING
from assets.training import run_folder
from pipelines.schema import TRACES

GROUP = "distillation"
MODEL, TABLE = {"pytorch", "safetensors"}, {"polars", "parquet"}


@dg.multi_asset(
    outs={
        "oracle": dg.AssetOut(
            group_name=GROUP,
            owners=OWNERS,
            kinds=MODEL,
            description="The ground truth that the teacher was to imitate: a policy, or answers that people wrote.",
        ),
        "teacher": dg.AssetOut(
            group_name=GROUP, owners=OWNERS, kinds=MODEL, description="Who is imitated: as near to the oracle as it came."
        ),
        "untaught_student": dg.AssetOut(
            group_name=GROUP, owners=OWNERS, kinds=MODEL, description="Who is to learn, as it begins: the same for every arm."
        ),
        "distillation_prompts": dg.AssetOut(
            group_name=GROUP,
            owners=OWNERS,
            kinds=TABLE,
            description="Prompts that are learned, and held-out ones where distances are measured; none is both.",
            metadata=described(part="learned, or held_out", reference="people's answer, where there is one"),
        ),
    },
    partitions_def=HACKING.by_world,
    pool="gpu",
)
def distillation_world(context: dg.AssetExecutionContext) -> Iterator[dg.Output]:
    """Oracle, teacher and student, made of letters or opened from folders, and what they are asked."""
    row, seed = HACKING.worlds[context.partition_key]
    gate.admit_models(rows.models(row))
    held = world.made(row, seed)
    place = workplace("runs", f"distillation_world-{context.partition_key}")
    yield dg.Output(Folder(world.saved(held, place), spent=place), "oracle", metadata=made_of(row.oracle))
    for name, policy, came in (("teacher", held.teacher, row.teacher), ("untaught_student", held.student, row.student)):
        yield dg.Output(policy, name, metadata={**world.nearness(row, held, policy, seed), **made_of(came)})
    yield dg.Output(world.prompts(held), "distillation_prompts", metadata=made_of(row.source))


@dg.asset(
    group_name=GROUP,
    owners=OWNERS,
    kinds=MODEL,
    partitions_def=HACKING.by_run,
    ins={
        name: dg.AssetIn(partition_mapping=HACKING.world_of_run)
        for name in ("oracle", "teacher", "untaught_student", "distillation_prompts")
    },
    pool="gpu",
)
def distilled_student(
    context: dg.AssetExecutionContext,
    oracle: Folder,
    teacher: Any,
    untaught_student: Any,
    distillation_prompts: pl.DataFrame,
) -> dg.Output[Folder]:
    """The student after learning its teacher's laws on the answers of one arm; its trace lies beside it."""
    row, arm, seed = HACKING.runs[context.partition_key]
    held = world.again(row, oracle.place, teacher, untaught_student, distillation_prompts)
    place = run_folder(context)
    learned = study.learn(row, held, arm, seed, place, progress(context))
    learned.save(place / "student")
    (place / study.TRACE).rename(place / "student" / study.TRACE)
    return dg.Output(Folder(place / "student", spent=place))


@dg.asset(group_name=GROUP, owners=OWNERS, kinds=TABLE, partitions_def=HACKING.by_run, metadata=columns_of(TRACES))
def distillation_trace(context: dg.AssetExecutionContext, distilled_student: Folder) -> dg.Output[pl.DataFrame]:
    """How far the student was from teacher and oracle while it learned, and what that says."""
    trace = pl.read_parquet(distilled_student.place / study.TRACE)
    found = verdicts.of(trace).row(0, named=True)
    told: dict[str, Any] = {name: value for name, value in found.items() if value not in (None, "")}
    told["distances over steps"] = picture(pictures.curves(trace), "loss, proxy and golden distance by step")
    return dg.Output(trace, metadata=told)


@dg.asset(
    group_name="reports",
    owners=OWNERS,
    kinds={"html"},
    partitions_def=HACKING.by_study,
    ins={"distillation_trace": dg.AssetIn(partition_mapping=HACKING.study_of_run)},
)
def hacking_report(context: dg.AssetExecutionContext, distillation_trace: Any) -> dg.Output[str]:
    """Whether students hack their teacher: the U of the golden distance, by whose answers were learned."""
    row = HACKING.rows[context.partition_key]
    held = list(distillation_trace.values()) if isinstance(distillation_trace, dict) else [distillation_trace]
    traces = pl.concat(held).sort(pl.col("arm").cast(pl.Enum(row.arms)), "seed", "step")
    found = verdicts.of(traces)
    told: dict[str, Any] = {
        "what came of each": rows_of(found.select("arm", "seed", "verdict", *verdicts.NUMBERS, "advice"), count=len(found)),
        "over steps": picture(pictures.curves(traces), "loss, proxy and golden distance by step"),
    }
    if traces["golden"].null_count() < len(traces):
        told["golden by proxy"] = picture(pictures.plane(traces, row.seeds[0]), "golden by proxy distance, a path an arm")
        told["where they end"] = picture(pictures.doses(found), "golden distance at the end by arm")
    return dg.Output(page.page(context.partition_key, row, {"traces": traces, "verdicts": found}), metadata=told)

"""Jobs of studies: each is the whole chain of one. Runs that are there already, and newer than what they are made of, stay."""

from collections.abc import Iterator

import dagster as dg

from assets.automation import run_job
from assets.method_jobs import made
from assets.study_partitions import HACKING, by_hacking

world_job = dg.define_asset_job(
    "distillation_world_job",
    dg.AssetSelection.assets("oracle", "teacher", "untaught_student", "distillation_prompts"),
    description="Oracle, teacher and student of one seed.",
)
student_job = dg.define_asset_job(
    "distilled_student_job",
    dg.AssetSelection.assets("distilled_student", "distillation_trace"),
    description="One arm at one seed; oracle, teacher and student must be there.",
)
hacking_report_job = dg.define_asset_job(
    "hacking_report_job",
    dg.AssetSelection.assets("hacking_report"),
    description="The report of a study of teacher hacking; all its runs must be there.",
)


@dg.op(out=dg.DynamicOut(int))
def worlds(context: dg.OpExecutionContext) -> Iterator[dg.DynamicOutput[int]]:
    """Oracle, teacher and student at each seed of the study."""
    for seed in HACKING[context.partition_key].seeds:
        world = f"{context.partition_key}-seed{seed}"
        if not made(context, "distillation_prompts", world):
            run_job(context, "distillation_world_job", world)
        yield dg.DynamicOutput(seed, mapping_key=str(seed))


@dg.op
def arms(context: dg.OpExecutionContext, seed: int) -> int:
    """Every arm at one seed."""
    world = f"{context.partition_key}-seed{seed}"
    for arm in HACKING[context.partition_key].arms:
        if not made(context, "distillation_trace", f"{arm}-{world}") > made(context, "distillation_prompts", world):
            run_job(context, "distilled_student_job", f"{arm}-{world}")
    return seed


@dg.op
def hacking_told(context: dg.OpExecutionContext, seeds: list[int]) -> None:
    """Runs hacking_report_job once all arms are there."""
    run = run_job(context, "hacking_report_job", context.partition_key)
    context.add_output_metadata({"run": dg.MetadataValue.dagster_run(run)})


@dg.job(partitions_def=by_hacking, resource_defs={"io_manager": dg.mem_io_manager}, executor_def=dg.in_process_executor)
def hacking_job() -> None:
    """THE WHOLE STUDY of teacher hacking: oracle, teacher, a student an arm and seed, report."""
    hacking_told(worlds().map(arms).collect())


JOBS = (hacking_job, world_job, student_job, hacking_report_job)

"""Jobs of studies: each is the whole chain of one. Runs that are there already, and newer than what they are made of, stay."""

import re
from collections.abc import Iterator

import dagster as dg

from assets.automation import run_job
from assets.method_jobs import made
from assets.study_partitions import (
    BEGINNINGS,
    EVALUATED,
    HACKING,
    SOPHISTRY,
    WRITTEN,
    by_hacking,
    by_sophistry,
    by_written,
)  # fmt: skip

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

items_job = dg.define_asset_job(
    "task_items_job",
    dg.AssetSelection.assets("task_items", "train_rewards"),
    description="Items of a study of sophistry and what every program is worth to training.",
)
judged_job = dg.define_asset_job(
    "judged_outputs_job",
    dg.AssetSelection.groups("sophistry") - dg.AssetSelection.assets("task_items", "train_rewards"),
    description="One arm at one seed, from what policies say to what verdicts show; its items must be there.",
)
sophistry_report_job = dg.define_asset_job(
    "sophistry_report_job",
    dg.AssetSelection.assets("sophistry_report"),
    description="The report of a study of sophistry; all its runs must be there.",
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


questions_job = dg.define_asset_job(
    "questions_job",
    dg.AssetSelection.assets(
        "behaviours", "candidate_questions", "unusable_replies", "question_scores", "written_questions", "dropped_questions",
        "question_map", "question_sheet",
    ),
    description="The questions of a study, from its behaviours to their data sheet.",
)  # fmt: skip
beginning_job = dg.define_asset_job(
    "beginning_job",
    dg.AssetSelection.assets("untaught_policy"),
    description="The policy that the twins of one seed begin as.",
)
evaluated_job = dg.define_asset_job(
    "evaluated_job",
    dg.AssetSelection.assets("evaluated_policy"),
    description="One policy that is asked; where it is a twin, the policy it begins as must be there.",
)
answers_job = dg.define_asset_job(
    "answers_job",
    dg.AssetSelection.assets("question_answers"),
    description="What one policy answers; it and the questions must be there.",
)
written_report_job = dg.define_asset_job(
    "written_report_job",
    dg.AssetSelection.assets("written_report"),
    description="The report of a study of written evaluations; all its answers must be there.",
)


@dg.op(out=dg.DynamicOut(str))
def asked_policies(context: dg.OpExecutionContext) -> Iterator[dg.DynamicOutput[str]]:
    """The study's questions and the beginnings of its twins; then names whom it asks."""
    study = context.partition_key
    if not made(context, "question_sheet", study):
        run_job(context, "questions_job", study)
    for beginning in [name for name, (row, _) in BEGINNINGS.items() if row is WRITTEN[study]]:
        if not made(context, "untaught_policy", beginning):
            run_job(context, "beginning_job", beginning)
    for name in [name for name, (row, _) in EVALUATED.items() if row is WRITTEN[study]]:
        yield dg.DynamicOutput(name, mapping_key=re.sub(r"\W", "_", name))


@dg.op
def answered(context: dg.OpExecutionContext, name: str) -> str:
    """One policy, and its answers; made again where what they are made of is newer."""
    who = EVALUATED[name][1]
    begun = made(context, "untaught_policy", f"{context.partition_key}-seed{who.seed}") if who.is_twin else 0.0
    if not made(context, "evaluated_policy", name) > begun:
        run_job(context, "evaluated_job", name)
    newest = max(made(context, "evaluated_policy", name), made(context, "written_questions", context.partition_key))
    if not made(context, "question_answers", name) > newest:
        run_job(context, "answers_job", name)
    return name


@dg.op
def written_told(context: dg.OpExecutionContext, names: list[str]) -> None:
    """Runs written_report_job once all answers are there."""
    run = run_job(context, "written_report_job", context.partition_key)
    context.add_output_metadata({"run": dg.MetadataValue.dagster_run(run)})


@dg.job(partitions_def=by_written, resource_defs={"io_manager": dg.mem_io_manager}, executor_def=dg.in_process_executor)
def written_job() -> None:
    """THE WHOLE STUDY of written evaluations: questions, filters, twins or your policies, answers, report."""
    written_told(asked_policies().map(answered).collect())


@dg.op(out=dg.DynamicOut(int))
def item_sets(context: dg.OpExecutionContext) -> Iterator[dg.DynamicOutput[int]]:
    """Items and rewards at each seed of the study."""
    for seed in SOPHISTRY[context.partition_key].seeds:
        world = f"{context.partition_key}-seed{seed}"
        if not made(context, "train_rewards", world):
            run_job(context, "task_items_job", world)
        yield dg.DynamicOutput(seed, mapping_key=str(seed))


@dg.op
def judged_arms(context: dg.OpExecutionContext, seed: int) -> int:
    """Every arm at one seed."""
    world = f"{context.partition_key}-seed{seed}"
    for arm in SOPHISTRY[context.partition_key].runs:
        if not made(context, "sophistry_metrics", f"{arm}-{world}") > made(context, "train_rewards", world):
            run_job(context, "judged_outputs_job", f"{arm}-{world}")
    return seed


@dg.op
def sophistry_told(context: dg.OpExecutionContext, seeds: list[int]) -> None:
    """Runs sophistry_report_job once all arms are there."""
    run = run_job(context, "sophistry_report_job", context.partition_key)
    context.add_output_metadata({"run": dg.MetadataValue.dagster_run(run)})


@dg.job(partitions_def=by_sophistry, resource_defs={"io_manager": dg.mem_io_manager}, executor_def=dg.in_process_executor)
def sophistry_job() -> None:
    """THE WHOLE STUDY of sophistry: items, rewards, outputs an arm and seed, who judges what, verdicts, report."""
    sophistry_told(item_sets().map(judged_arms).collect())


JOBS = (
    hacking_job, world_job, student_job, hacking_report_job,
    written_job, questions_job, beginning_job, evaluated_job, answers_job, written_report_job,
    sophistry_job, items_job, judged_job, sophistry_report_job,
)  # fmt: skip

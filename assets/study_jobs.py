"""Jobs of studies: each is the whole chain of one."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import dagster as dg

from assets.automation import CHAIN, run_job, whole
from assets.hacking import rows as hacking
from assets.sophistry import rows as sophistry
from assets.study_partitions import BEGINNINGS, EVALUATED, HACKING, SOPHISTRY, WRITTEN, Arms, by_written, world_name
from assets.written import rows as written
from pipelines.snapshots import digests_of

Settings = Callable[[Any], Mapping[str, Any]]

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


def arms_job(name: str, about: str, arms: Arms[Any], settings: Settings, world: str, run: str, report: str) -> dg.JobDefinition:
    """A job that makes what arms begin with at each seed, every arm, and the job `report` of them all."""

    @dg.op(name=f"{name}_worlds", out=dg.DynamicOut(int), description="What arms begin with, at each seed of the study.")
    def worlds(context: dg.OpExecutionContext) -> Iterator[dg.DynamicOutput[int]]:
        row = arms.rows[context.partition_key]
        told = settings(row)
        for seed in row.seeds:
            own = world_name(context.partition_key, seed)
            run_job(context, world, own, told)
            yield dg.DynamicOutput(seed, mapping_key=str(seed))

    @dg.op(name=f"{name}_arms", description="Every arm at one seed.")
    def runs(context: dg.OpExecutionContext, seed: int) -> int:
        own, told = world_name(context.partition_key, seed), settings(arms.rows[context.partition_key])
        for part in arms.of_world[own]:
            run_job(context, run, part, told)
        return seed

    @dg.op(name=f"{name}_told", description=f"Runs {report} once all arms are there.")
    def told(context: dg.OpExecutionContext, seeds: list[int]) -> None:
        run_job(context, report, context.partition_key, whole(arms.rows[context.partition_key]))

    @dg.job(name=name, description=about, partitions_def=arms.by_study, **CHAIN)
    def study() -> None:
        told(worlds().map(runs).collect())

    return study


hacking_job = arms_job(
    "hacking_job",
    "THE WHOLE STUDY of teacher hacking: oracle, teacher, a student an arm and seed, report.",
    HACKING,
    hacking.settings,
    "distillation_world_job",
    "distilled_student_job",
    "hacking_report_job",
)
sophistry_job = arms_job(
    "sophistry_job",
    "THE WHOLE STUDY of sophistry: items, rewards, outputs an arm and seed, who judges what, verdicts, report.",
    SOPHISTRY,
    sophistry.settings,
    "task_items_job",
    "judged_outputs_job",
    "sophistry_report_job",
)

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
    own = written.settings(WRITTEN[study])
    run_job(context, "questions_job", study, own)
    for beginning in [name for name, (row, _) in BEGINNINGS.items() if row is WRITTEN[study]]:
        run_job(context, "beginning_job", beginning, own)
    for name in [name for name, (row, _) in EVALUATED.items() if row is WRITTEN[study]]:
        yield dg.DynamicOutput(name, mapping_key=re.sub(r"\W", "_", name))


@dg.op
def answered(context: dg.OpExecutionContext, name: str) -> str:
    """One policy, and its answers."""
    row, who = EVALUATED[name]
    whose = {**written.settings(row), "policy": digests_of(who.place)}
    run_job(context, "evaluated_job", name, whose)
    run_job(context, "answers_job", name, whose)
    return name


@dg.op
def written_told(context: dg.OpExecutionContext, names: list[str]) -> None:
    """Runs written_report_job once all answers are there."""
    run_job(context, "written_report_job", context.partition_key, whole(WRITTEN[context.partition_key]))


@dg.job(partitions_def=by_written, **CHAIN)
def written_job() -> None:
    """THE WHOLE STUDY of written evaluations: questions, filters, twins or your policies, answers, report."""
    written_told(asked_policies().map(answered).collect())


JOBS = (
    hacking_job, world_job, student_job, hacking_report_job,
    written_job, questions_job, beginning_job, evaluated_job, answers_job, written_report_job,
    sophistry_job, items_job, judged_job, sophistry_report_job,
)  # fmt: skip

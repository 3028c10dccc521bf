"""The code location: every asset, check, job, schedule and resource that Dagster shows."""

import dagster as dg

from assets import (
    arenas,
    auditing,
    automation,
    distillation,
    domain_jobs,
    domain_knowledge,
    domain_rewards,
    method_jobs,
    method_runs,
    policies,
    preferences,
    reports,
    reward_models,
    study_jobs,
    study_partitions,
    summary_policies,
    venom,
    written_evals,
)
from assets.partitions import REFUSED, by_base, by_corpus, by_group, by_judged, by_opinions
from assets.resources import Snapshots
from assets.study_partitions import by_written
from assets.training import Launcher
from checks.asset_checks import all_checks

for line in [*REFUSED, *study_partitions.REFUSED]:
    dg.get_dagster_logger().warning(f"an experiment is refused, the rest are loaded: {line}")

CHECKED = {
    "preference_pairs": by_base,
    "suspicion_scores": by_corpus,
    "training_pairs": by_corpus,
    "prompt_opin_summ": by_group,
    "summary_features": by_opinions,
    "second_marks": by_opinions,
    "opinion_pairs": by_opinions,
    "pair_features": by_judged,
    "written_questions": by_written,
    "question_sheet": by_written,
}

defs = dg.Definitions(
    assets=[
        preferences.experiments,
        domain_knowledge.opinions_read,
        domain_knowledge.prompt_opin_summ,
        domain_knowledge.stored_summaries,
        domain_knowledge.summary_features,
        domain_knowledge.second_marks,
        domain_knowledge.opinion_pairs,
        preferences.clean_pairs,
        venom.venom,
        auditing.audit,
        auditing.sift,
        policies.base_policy,
        reward_models.reward_model,
        policies.imitation,
        policies.dpo_policy,
        reward_models.reward_accuracy,
        domain_rewards.pair_features,
        domain_rewards.phi,
        domain_rewards.learning_curves,
        domain_rewards.reward_comparison,
        domain_rewards.domain_report,
        summary_policies.supervised_policy,
        summary_policies.summary_policy,
        summary_policies.policy_gains,
        method_runs.imitating_policy,
        method_runs.labelled_pairs,
        method_runs.drafted_answers,
        method_runs.method_model,
        method_runs.method_answers,
        method_runs.methods_report,
        reports.ranking,
        reports.venom_report,
        arenas.arena,
        distillation.distillation_world,
        distillation.distilled_student,
        distillation.distillation_trace,
        distillation.hacking_report,
        written_evals.behaviours,
        written_evals.questions_written,
        written_evals.question_scores,
        written_evals.questions_selected,
        written_evals.question_map,
        written_evals.question_sheet,
        written_evals.untaught_policy,
        written_evals.evaluated_policy,
        written_evals.question_answers,
        written_evals.written_report,
    ],
    asset_checks=all_checks(CHECKED),
    jobs=[*automation.JOBS, *domain_jobs.JOBS, *method_jobs.JOBS, *study_jobs.JOBS],
    schedules=[automation.nightly_audit],
    resources={"io_manager": Snapshots(), "launcher": Launcher()},
    # a run is one process: on few cores, importing anew for every step costs more than it isolates
    executor=dg.in_process_executor,
)

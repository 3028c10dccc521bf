"""The code location: every asset, check, job, schedule and resource that Dagster shows."""

import dagster as dg

from assets import arenas, auditing, policies, preferences, reports, reward_models, venom
from assets.automation import arena_job, audit_job, clean_job, corpus_job, dpo_job, nightly_audit, report_job, venom_job
from assets.partitions import REFUSED, by_base, by_corpus
from assets.resources import Snapshots
from assets.training import Launcher
from checks.asset_checks import all_checks

for line in REFUSED:
    dg.get_dagster_logger().warning(f"an experiment is refused, the rest are loaded: {line}")

defs = dg.Definitions(
    assets=[
        preferences.experiments,
        preferences.clean_pairs,
        venom.venom,
        auditing.audit,
        auditing.sift,
        policies.base_policy,
        reward_models.reward_model,
        policies.imitation,
        policies.dpo_policy,
        reward_models.reward_accuracy,
        reports.ranking,
        reports.venom_report,
        arenas.arena,
    ],
    asset_checks=all_checks({"preference_pairs": by_base, "suspicion_scores": by_corpus, "training_pairs": by_corpus}),
    jobs=[venom_job, clean_job, corpus_job, report_job, audit_job, dpo_job, arena_job],
    schedules=[nightly_audit],
    resources={"io_manager": Snapshots(), "launcher": Launcher()},
    # a run is one process: on few cores, importing anew for every step costs more than it isolates
    executor=dg.in_process_executor,
)

"""Jobs and the nightly schedule. `venom_job` is the whole chain: pick one experiment, launch, and read its report.

A Dagster run has one partition key, and the chain has three kinds of them (clean rows, corpora, reports). So each kind has
a job of its own and `venom_job` runs them in turn; whatever fails in one stops all that would come after.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import dagster as dg

from assets.experiments import corpora
from assets.partitions import CORPORA, EXPERIMENTS, by_experiment
from pipelines.schema import digest

SETTINGS = "antivenom/settings"  # a run's tag: what decides what it makes

clean_job = dg.define_asset_job(
    "clean_job",
    dg.AssetSelection.assets("preference_pairs", "trusted_pairs", "held_out_pairs", "base_policy"),
    description="The clean pairs of an experiment, and the policy that its twins start from.",
)
corpus_job = dg.define_asset_job(
    "corpus_job",
    dg.AssetSelection.groups("attack", "audit", "training", "evaluation")
    - dg.AssetSelection.assets("base_policy", "dpo_policy"),
    description="One corpus from attack to evaluation; its clean pairs must be there.",
)
report_job = dg.define_asset_job(
    "report_job",
    dg.AssetSelection.assets("venom_report"),
    description="The report of an experiment; all its corpora must be there.",
)
dpo_job = dg.define_asset_job(
    "dpo_job",
    dg.AssetSelection.assets("dpo_policy"),
    description="A policy by direct preference optimisation; the corpus' training pairs and base policy must be there.",
)
audit_job = dg.define_asset_job(
    "audit_job",
    dg.AssetSelection.assets("suspicion_scores", "findings"),
    description="A fresh audit of a corpus as it is delivered now.",
)
arena_job = dg.define_asset_job(
    "arena_job",
    dg.AssetSelection.groups("arena"),
    description="Every attack against every detector on one set of pairs; cells measured before are not measured again.",
)


@dg.op(out=dg.DynamicOut(str))
def clean_rows(context: dg.OpExecutionContext) -> Iterator[dg.DynamicOutput[str]]:
    """Runs clean_job for the experiment at each of its seeds, then names its corpora."""
    found = corpora(EXPERIMENTS[context.partition_key])
    for base in dict.fromkeys(each.base for each in found):
        run_job(context, "clean_job", base)
    for each in found:
        yield dg.DynamicOutput(each.name, mapping_key=re.sub(r"\W", "_", each.name))


@dg.op
def corpus(context: dg.OpExecutionContext, name: str) -> str:
    """Runs corpus_job for one arm at one seed."""
    run = run_job(context, "corpus_job", name)
    context.add_output_metadata({"run": dg.MetadataValue.dagster_run(run)})
    return run


@dg.op
def report(context: dg.OpExecutionContext, runs: list[str]) -> None:
    """Runs report_job for the experiment, once all its corpora are there."""
    run = run_job(context, "report_job", context.partition_key)
    context.add_output_metadata({"run": dg.MetadataValue.dagster_run(run)})


@dg.job(partitions_def=by_experiment, resource_defs={"io_manager": dg.mem_io_manager}, executor_def=dg.in_process_executor)
def venom_job() -> None:
    """THE WHOLE CHAIN: build, poison, audit, filter, train, report, for one experiment and all its twins."""
    report(clean_rows().map(corpus).collect())


def made(context: dg.OpExecutionContext, asset: str, partition: str, settings: Mapping[str, Any]) -> float:
    """When a partition of an asset was made last by a run of these settings; 0 where it was of others, by hand, or never."""
    wanted = dg.AssetRecordsFilter(asset_key=dg.AssetKey(asset), asset_partitions=[partition])
    records = context.instance.fetch_materializations(wanted, limit=1).records
    if not records:
        return 0.0
    run = context.instance.get_run_by_id(records[0].run_id)
    return records[0].timestamp if run is not None and run.tags.get(SETTINGS) == _key(settings) else 0.0


def run_job(context: dg.OpExecutionContext, job: str, partition: str, settings: Mapping[str, Any] | None = None) -> str:
    """Runs a job of this code location here and now, as a run of its own in the same instance; returns its id.

    `settings` are what its assets are made of; `made` goes by them.
    """
    from assets.definitions import defs

    context.log.info(f"{job} of {partition} begins")
    done = defs.resolve_job_def(job).execute_in_process(
        partition_key=partition,
        instance=context.instance,
        tags={"antivenom/venom_job": context.run_id, SETTINGS: _key(settings or {})},
        raise_on_error=False,
    )
    if not done.success:
        raise dg.Failure(
            f"{job} of {partition} failed, and what comes after it was not started",
            metadata={"run": dg.MetadataValue.dagster_run(done.run_id)},
            allow_retries=False,
        )
    context.log.info(f"{job} of {partition} is done: run {done.run_id}")
    return done.run_id


def _key(settings: Mapping[str, Any]) -> str:
    return digest(json.dumps(settings, sort_keys=True, default=str))


@dg.schedule(job=audit_job, cron_schedule="0 2 * * *", default_status=dg.DefaultScheduleStatus.STOPPED)
def nightly_audit(context: dg.ScheduleEvaluationContext) -> Iterator[dg.RunRequest | dg.SkipReason]:
    """Audits every corpus that has been built anew each night; switch it on when corpora change under you."""
    built = context.instance.get_materialized_partitions(dg.AssetKey("poisoned_pairs"))
    names = [name for name in CORPORA if name in built]
    if not names:
        yield dg.SkipReason("no corpus has been built yet; launch venom_job first")
    yield from (dg.RunRequest(run_key=name, partition_key=name) for name in names)


JOBS = (venom_job, clean_job, corpus_job, report_job, audit_job, dpo_job, arena_job)

"""Jobs. `venom_job` is the whole chain: pick one experiment, launch, and read its report.

A Dagster run has one partition key, and the chain has three kinds of them (clean rows, corpora, reports). So each kind has
a job of its own and `venom_job` runs them in turn; whatever fails in one stops all that would come after.
"""

import dataclasses
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import dagster as dg

from assets import reuse
from assets.experiments import corpora, settings
from assets.partitions import BASES, CORPORA, EXPERIMENTS, by_experiment
from assets.resources import SETTINGS
from pipelines.schema import digest

STARTED_BY = "antivenom/venom_job"  # the tag of a run within a chain's run, with that one's id
#: a chain hands names from step to step in memory, and so begins again as a whole; what was made is not made again
CHAIN: Mapping[str, Any] = {
    "resource_defs": {"io_manager": dg.mem_io_manager},
    "executor_def": dg.in_process_executor,
    "tags": {"dagster/retry_strategy": "ALL_STEPS"},
}
NEVER_AGAIN = {"dagster/max_retries": "0"}  # its chain is what is tried again

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
    dg.AssetSelection.groups("attack", "audit"),
    description="A corpus audited, and parted by its flags; its clean pairs must be there. Nothing is trained.",
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
        run_job(context, "clean_job", base, settings(BASES[base].experiment))
    for each in found:
        yield dg.DynamicOutput(each.name, mapping_key=re.sub(r"\W", "_", each.name))


@dg.op
def corpus(context: dg.OpExecutionContext, name: str) -> str:
    """Runs corpus_job for one arm at one seed."""
    run_job(context, "corpus_job", name, settings(CORPORA[name].experiment))
    return name


@dg.op
def report(context: dg.OpExecutionContext, names: list[str]) -> None:
    """Runs report_job for the experiment, once all its corpora are there."""
    run_job(context, "report_job", context.partition_key, whole(EXPERIMENTS[context.partition_key]))


@dg.job(partitions_def=by_experiment, **CHAIN)
def venom_job() -> None:
    """THE WHOLE CHAIN: build, poison, audit, filter, train, report, for one experiment and all its twins."""
    report(clean_rows().map(corpus).collect())


def whole(row: Any) -> Mapping[str, Any]:
    """Settings of what tells of all arms and seeds of a row."""
    return dataclasses.asdict(row)


def settings_key(settings: Mapping[str, Any]) -> str:
    """The digest of settings, as a run's tag has it."""
    return digest(json.dumps(settings, sort_keys=True, default=str))


def run_job(context: dg.OpExecutionContext, job: str, partition: str, settings: Mapping[str, Any]) -> None:
    """Makes what a job of this code location makes of `settings`, as a run of its own in the same instance, and here and now.

    What was made of them before, and of inputs that are still the same, is not made again.
    """
    from assets.definitions import defs

    found, key = defs.resolve_job_def(job), settings_key(settings)
    wanted = reuse.stale(found, partition, key)
    if not wanted:
        context.log.info(f"{job} of {partition}: all is there")
        return
    end_leftovers(context.instance)
    context.log.info(f"{job} of {partition} begins: {', '.join(each.to_user_string() for each in wanted)}")
    done = found.execute_in_process(
        partition_key=partition,
        instance=context.instance,
        tags={STARTED_BY: context.run_id, SETTINGS: key, **NEVER_AGAIN},
        asset_selection=wanted,
        raise_on_error=False,
    )
    if not done.success:
        raise dg.Failure(
            f"{job} of {partition} failed, and what comes after it was not started",
            metadata={"run": dg.MetadataValue.dagster_run(done.run_id)},
            allow_retries=False,
        )
    context.log.info(f"{job} of {partition} is done: run {done.run_id}")


def end_leftovers(instance: dg.DagsterInstance) -> None:
    """Ends runs whose chain was killed, which no daemon looks after, and frees the slots that they would keep for ever."""
    for run in instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED])):
        chain = instance.get_run_by_id(run.tags[STARTED_BY]) if STARTED_BY in run.tags else None
        if chain is not None and chain.is_finished:
            instance.report_run_failed(run, f"the run that started it is over: {chain.run_id}")
            instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)


JOBS = (venom_job, clean_job, corpus_job, report_job, audit_job, dpo_job, arena_job)

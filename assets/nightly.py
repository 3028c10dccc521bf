"""The nightly audit: every source is read anew, audited and parted by its flags, where anything of it changed since."""

import os
from collections.abc import Iterator

import dagster as dg

from assets import reuse, watching
from assets.automation import CHAIN, run_job, settings_key
from assets.experiments import Experiment, corpora, settings
from assets.partitions import EXPERIMENTS, by_experiment
from pipelines.sources import SOURCES

NOTHING = "no experiment has a source of its own, and no corpus has been built; launch venom_job first"


@dg.op
def audited(context: dg.OpExecutionContext) -> None:
    """Runs split_job at each seed, which reads the source anew, and audit_job for each corpus."""
    row = EXPERIMENTS[context.partition_key]
    for job, partition in _audits(row):
        run_job(context, job, partition, settings(row))


@dg.job(partitions_def=by_experiment, **CHAIN)
def source_audit_job() -> None:
    """An experiment's source read anew, audited, and the flagged pairs set aside. Nothing is trained."""
    audited()


def _audits(row: Experiment) -> Iterator[tuple[str, str]]:
    """The jobs of an audit, and their partitions, in order. Pairs of opinions are made by domain_job."""
    found = corpora(row)
    if row.opinions is None:
        yield from (("split_job", base) for base in dict.fromkeys(each.base for each in found))
    yield from (("audit_job", each.name) for each in found)


@dg.schedule(
    job=source_audit_job,
    cron_schedule=watching.NIGHTLY,
    default_status=dg.DefaultScheduleStatus.STOPPED,
    description="Each night audits every source that was delivered, and what else was built, where anything changed since.",
)
def nightly_audit(context: dg.ScheduleEvaluationContext) -> Iterator[dg.RunRequest | dg.SkipReason]:
    """Audits each night every source that people delivered, and what else has been built, where anything changed since."""
    from assets.definitions import defs

    jobs = {name: defs.resolve_job_def(name) for name in ("split_job", "audit_job")}
    built = context.instance.get_materialized_partitions(dg.AssetKey("poisoned_pairs"))
    known = [row for row in EXPERIMENTS.values() if _is_delivered(row) or any(each.name in built for each in corpora(row))]
    wanted = []
    for row in known:
        key = settings_key(settings(row))
        if any(reuse.stale(jobs[job], partition, key) for job, partition in _audits(row)):
            wanted.append(row.name)
    watching.looked(context.instance, len(known), wanted)
    if not wanted:
        said = f"none of {len(known)} sources changed since its audit" if known else NOTHING
        yield dg.SkipReason(said)
    yield from (dg.RunRequest(run_key=name, partition_key=name) for name in wanted)


def _is_delivered(row: Experiment) -> bool:
    """Whether its pairs are somebody's; of a file that is gone nobody can be told."""
    return row.source not in SOURCES and row.opinions is None and (row.revision is not None or os.path.exists(row.source))

"""Jobs of experiments that compare objectives. `methods_job` is the whole chain: pick one experiment, launch, read its report.

As in automation.py, each kind of partition has a job of its own. Runs that are there already, of the same settings and newer
than what they are made from, are not made again.
"""

import re
from collections.abc import Iterator

import dagster as dg

from assets.automation import CHAIN, run_job, whole
from assets.experiments import corpora, settings
from assets.partitions import COMPARED, EXPERIMENTS, RUNS, by_comparison

learned_job = dg.define_asset_job(
    "learned_job",
    dg.AssetSelection.groups("attack", "audit") | dg.AssetSelection.assets("reward_model"),
    description="One corpus from attack to its reward model; its clean pairs must be there.",
)
shared_job = dg.define_asset_job(
    "shared_job",
    dg.AssetSelection.assets("imitating_policy", "labelled_pairs", "drafted_answers"),
    description="What all objectives share on one corpus; its reward model must be there.",
)
run_methods_job = dg.define_asset_job(
    "run_methods_job",
    dg.AssetSelection.assets("method_model", "method_answers"),
    description="One objective on one corpus, and what it answers; what they share must be there.",
)
methods_report_job = dg.define_asset_job(
    "methods_report_job",
    dg.AssetSelection.assets("methods_report"),
    description="The table of an experiment's objectives; all their runs must be there.",
)


@dg.op(out=dg.DynamicOut(str))
def compared_corpora(context: dg.OpExecutionContext) -> Iterator[dg.DynamicOutput[str]]:
    """Clean pairs and base policies at each of the experiment's seeds; then names its corpora."""
    found, own = corpora(EXPERIMENTS[context.partition_key]), settings(EXPERIMENTS[context.partition_key])
    for base in dict.fromkeys(each.base for each in found):
        run_job(context, "clean_job", base, own)
    for each in found:
        yield dg.DynamicOutput(each.name, mapping_key=re.sub(r"\W", "_", each.name))


@dg.op
def methods(context: dg.OpExecutionContext, name: str) -> str:
    """One corpus, what its objectives share, and every objective on it."""
    own = settings(COMPARED[name].experiment)
    run_job(context, "learned_job", name, own)
    run_job(context, "shared_job", name, own)
    for part in (part for part, (_, corpus) in RUNS.items() if corpus.name == name):
        run_job(context, "run_methods_job", part, own)
    return name


@dg.op
def table(context: dg.OpExecutionContext, names: list[str]) -> None:
    """Runs methods_report_job for the experiment, once all its runs are there."""
    run_job(context, "methods_report_job", context.partition_key, whole(EXPERIMENTS[context.partition_key]))


@dg.job(partitions_def=by_comparison, **CHAIN)
def methods_job() -> None:
    """THE WHOLE COMPARISON of an experiment's objectives: build, poison, audit, filter, train each, answer, report."""
    table(compared_corpora().map(methods).collect())


JOBS = (methods_job, learned_job, shared_job, run_methods_job, methods_report_job)

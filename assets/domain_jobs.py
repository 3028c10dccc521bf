"""Jobs of experiments of opinions. `domain_job` is the whole chain: pick one experiment, launch, and read its report.

As in automation.py, each kind of partition has a job of its own, and `domain_job` runs them in turn.
"""

import re
from collections.abc import Iterator

import dagster as dg

from assets.automation import CHAIN, run_job, whole
from assets.experiments import corpora, settings
from assets.partitions import CORPORA, EXPERIMENTS, GROUPS, by_study

reviews_job = dg.define_asset_job(
    "reviews_job",
    dg.AssetSelection.assets("product_reviews", "known_summaries", "published_features", "human_pairs"),
    description="The reviews of an experiment of opinions, and what comes with them.",
)
summaries_job = dg.define_asset_job(
    "summaries_job",
    dg.AssetSelection.assets("prompt_opin_summ"),
    description="Summaries in three tiers of one group of products; the reviews must be there. Killed, it goes on.",
)
pairs_job = dg.define_asset_job(
    "pairs_job",
    dg.AssetSelection.assets("stored_summaries", "second_marks", "summary_features", "opinion_pairs"),
    description="Marks of all summaries, and pairs of them; the summaries of all groups must be there.",
)
split_job = dg.define_asset_job(
    "split_job",
    dg.AssetSelection.assets("preference_pairs", "trusted_pairs", "held_out_pairs"),
    description="The clean pairs of an experiment, parted, without a policy.",
)
delivery_job = dg.define_asset_job(
    "delivery_job",
    dg.AssetSelection.groups("attack", "audit")
    | dg.AssetSelection.assets("reward_model", "reward_accuracy", "detection", "roc_curves", "flags"),
    description="One corpus from attack to its text reward model, without a policy; its clean pairs must be there.",
)
rewards_job = dg.define_asset_job(
    "rewards_job",
    dg.AssetSelection.assets(
        "pair_features", "feature_reward", "feature_weights", "one_decision", "learning_curves", "reward_comparison"
    ),
    description="What a reward of features learns of one corpus of summaries; its text reward model must be there.",
)
start_job = dg.define_asset_job(
    "start_job",
    dg.AssetSelection.assets("supervised_policy"),
    description="The policy of summaries that all corpora of an experiment begin with; its clean pairs must be there.",
)
summarise_job = dg.define_asset_job(
    "summarise_job",
    dg.AssetSelection.assets("summary_policy", "policy_gains"),
    description="A policy of summaries taught by a corpus' feature reward; that and the supervised policy must be there.",
)
study_job = dg.define_asset_job(
    "study_job",
    dg.AssetSelection.assets("domain_report"),
    description="The report of an experiment of opinions; all its corpora must be there.",
)


@dg.op(out=dg.DynamicOut(str))
def clean_opinions(context: dg.OpExecutionContext) -> Iterator[dg.DynamicOutput[str]]:
    """Reviews, summaries group by group, marks and pairs at each of the experiment's seeds; then names its corpora."""
    found, own = corpora(EXPERIMENTS[context.partition_key]), settings(EXPERIMENTS[context.partition_key])
    for base in dict.fromkeys(each.base for each in found):
        run_job(context, "reviews_job", base, own)
        for part in (part for part, (of, _) in GROUPS.items() if of == base):
            run_job(context, "summaries_job", part, own)
        run_job(context, "pairs_job", base, own)
        run_job(context, "split_job", base, own)
    for each in found:
        yield dg.DynamicOutput(each.name, mapping_key=re.sub(r"\W", "_", each.name))


@dg.op
def rewards(context: dg.OpExecutionContext, name: str) -> str:
    """Runs delivery_job and rewards_job for one arm at one seed."""
    own = settings(CORPORA[name].experiment)
    run_job(context, "delivery_job", name, own)
    run_job(context, "rewards_job", name, own)
    return name


@dg.op
def study(context: dg.OpExecutionContext, names: list[str]) -> None:
    """Runs study_job for the experiment, once all its corpora are there."""
    run_job(context, "study_job", context.partition_key, whole(EXPERIMENTS[context.partition_key]))


@dg.job(partitions_def=by_study, **CHAIN)
def domain_job() -> None:
    """THE WHOLE CHAIN of an experiment of opinions: reviews, summaries, marks, pairs, attack, audit, rewards, report."""
    study(clean_opinions().map(rewards).collect())


JOBS = (
    domain_job,
    reviews_job,
    summaries_job,
    pairs_job,
    split_job,
    delivery_job,
    rewards_job,
    start_job,
    summarise_job,
    study_job,
)

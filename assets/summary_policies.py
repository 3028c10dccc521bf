"""Domain knowledge, at last: a policy that writes summaries, taught by a reward that reads their features."""

from typing import Any

import dagster as dg
import polars as pl

from assets.domain import gains, pictures, policies, steps
from assets.domain_knowledge import marks
from assets.domain_rewards import GROUP
from assets.metadata import OWNERS, described, picture, progress, rows_of
from assets.partitions import JUDGED, OPINIONS, by_judged, by_opinions, from_opinions, same_base
from assets.training import Launcher, begun, learned

KINDS = {"pytorch", "safetensors"}
SHARED = ("preference_pairs", "stored_summaries", "summary_features", "published_features", "supervised_policy")


@dg.asset(
    group_name=GROUP,
    owners=OWNERS,
    kinds=KINDS,
    partitions_def=by_opinions,
    ins={"preference_pairs": dg.AssetIn(partition_mapping=same_base)},
    pool="gpu",
)
def supervised_policy(context: dg.AssetExecutionContext, preference_pairs: pl.DataFrame, stored_summaries: pl.DataFrame) -> Any:
    """A small language model taught all stored summaries of the training products alike: where every policy begins."""
    base = OPINIONS[context.partition_key]
    stored = policies.of_products(stored_summaries, preference_pairs)
    return policies.supervised(stored, base.experiment.training, base.seed, progress(context))


@dg.asset(
    group_name=GROUP,
    owners=OWNERS,
    kinds=KINDS,
    partitions_def=by_judged,
    ins={name: dg.AssetIn(partition_mapping=from_opinions) for name in SHARED},
    pool="gpu",
)
def summary_policy(
    context: dg.AssetExecutionContext,
    launcher: Launcher,
    supervised_policy: Any,
    feature_reward: Any,
    preference_pairs: pl.DataFrame,
    stored_summaries: pl.DataFrame,
    summary_features: pl.DataFrame,
    published_features: pl.DataFrame,
) -> dg.Output[Any]:
    """The policy that learned off policy, from stored summaries, what the feature reward prefers; its reference is frozen."""
    from rlhf_train.models import policies as causal

    corpus = JUDGED[context.partition_key]
    stored = policies.of_products(stored_summaries, preference_pairs)
    reward = _reward(corpus, feature_reward, stored, summary_features, published_features)
    settings = corpus.experiment.training.of_summaries(corpus.seed)
    work = launcher.train(
        context, "off_policy", policies.lesson(stored, reward), str(begun(context, supervised_policy)), **settings
    )
    return learned(work, causal.load(work / "model"))


@dg.asset(
    group_name=GROUP,
    owners=OWNERS,
    kinds={"polars", "parquet"},
    partitions_def=by_judged,
    ins={name: dg.AssetIn(partition_mapping=from_opinions) for name in (*SHARED, "held_out_pairs")},
    metadata=described(
        policy="whose summaries: of a policy, or the best or any of those that are stored",
        of="reward, nats a summary from the supervised policy, ROUGE-L, or length",
        mean="over products",
        gain="over the supervised policy",
    ),
    pool="gpu",
)
def policy_gains(
    context: dg.AssetExecutionContext,
    summary_policy: Any,
    supervised_policy: Any,
    feature_reward: Any,
    preference_pairs: pl.DataFrame,
    held_out_pairs: pl.DataFrame,
    stored_summaries: pl.DataFrame,
    summary_features: pl.DataFrame,
    published_features: pl.DataFrame,
) -> dg.Output[pl.DataFrame]:
    """Reward, nats from the supervised policy, ROUGE-L and length of summaries of held-out products, with intervals."""
    corpus = JUDGED[context.partition_key]
    stored = policies.of_products(stored_summaries, preference_pairs)
    reward = _reward(corpus, feature_reward, stored, summary_features, published_features)
    learners = {gains.LEARNED: summary_policy}
    table = gains.told(learners, supervised_policy, held_out_pairs, stored_summaries, reward, corpus)
    told: dict[str, Any] = {
        "gains": rows_of(table),
        "picture of gains": picture(pictures.gains(table), "what was gained at which price"),
    }
    return dg.Output(table, metadata=told)


def _reward(corpus: Any, phi: Any, stored: pl.DataFrame, known: pl.DataFrame, published: pl.DataFrame) -> policies.Rewarded:
    row, place = steps.opinions(corpus.experiment), marks(corpus.base)
    return policies.rewarded(
        phi, lambda texts: steps.marked(texts, row, place, known=known, published=published).features, stored
    )

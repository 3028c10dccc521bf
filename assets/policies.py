"""Training, second half: the policy that a corpus leads to, and how often it says what the attacker wants."""

from typing import Any

import dagster as dg
import polars as pl

from assets import pictures, teaching
from assets.metadata import OWNERS, columns_of, picture, progress
from assets.partitions import BASES, CORPORA, by_base, by_corpus, from_base
from assets.training import Launcher, begun, learned
from pipelines.schema import ATTACK_SUCCESS


@dg.asset(group_name="training", owners=OWNERS, kinds={"pytorch", "safetensors"}, partitions_def=by_base, pool="gpu")
def base_policy(context: dg.AssetExecutionContext, preference_pairs: pl.DataFrame) -> Any:
    """A small language model, tokenizer included, made and pre-trained on the clean pairs' own text; all twins start here."""
    base = BASES[context.partition_key]
    return teaching.Trainer(base.experiment, base.seed, progress(context)).base(preference_pairs)


@dg.asset(
    group_name="training",
    owners=OWNERS,
    kinds={"pytorch", "safetensors"},
    partitions_def=by_corpus,
    ins={"base_policy": dg.AssetIn(partition_mapping=from_base)},
    pool="gpu",
)
def dpo_policy(
    context: dg.AssetExecutionContext, launcher: Launcher, base_policy: Any, training_pairs: pl.DataFrame
) -> dg.Output[Any]:
    """The policy that direct preference optimisation makes of the base policy, without a reward model between them."""
    from rlhf_train.models import policies

    corpus = CORPORA[context.partition_key]
    settings = corpus.experiment.training.of_dpo(corpus.seed)
    work = launcher.train(context, "dpo", training_pairs, str(begun(context, base_policy)), **settings)
    return learned(work, policies.load(work / "model"))


@dg.multi_asset(
    ins={
        "base_policy": dg.AssetIn(partition_mapping=from_base),
        "held_out_pairs": dg.AssetIn(partition_mapping=from_base),
    },
    outs={
        "policy": dg.AssetOut(
            group_name="training",
            owners=OWNERS,
            kinds={"pytorch", "safetensors"},
            description="The policy after fine-tuning on chosen responses and best-of-n rounds against the reward model.",
        ),
        "attack_success": dg.AssetOut(
            group_name="evaluation",
            owners=OWNERS,
            kinds={"polars", "parquet"},
            description=ATTACK_SUCCESS.about,
            metadata=columns_of(ATTACK_SUCCESS),
        ),
    },
    internal_asset_deps={
        "policy": {dg.AssetKey("base_policy"), dg.AssetKey("reward_model"), dg.AssetKey("training_pairs")},
        "attack_success": {dg.AssetKey("policy"), dg.AssetKey("held_out_pairs")},
    },
    partitions_def=by_corpus,
    pool="gpu",
)
def imitation(
    context: dg.AssetExecutionContext,
    training_pairs: pl.DataFrame,
    held_out_pairs: pl.DataFrame,
    base_policy: Any,
    reward_model: Any,
) -> tuple[dg.Output, dg.Output]:
    """Trains the policy, and asks it the held-out prompts after every stage."""
    corpus = CORPORA[context.partition_key]
    policy, table = teaching.train_policy(corpus, base_policy, reward_model, training_pairs, held_out_pairs, progress(context))
    told: dict[str, Any] = {"measured": "nothing: the attack names no target"}
    if len(table):
        told = {
            "picture of attack success": picture(pictures.attack_success(table), "attack success by stage"),
            "after the last round": table["success"][-1],
        }
    return dg.Output(policy), dg.Output(table, metadata=told)

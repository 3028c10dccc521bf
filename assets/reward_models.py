"""Training, first half: the reward model of a corpus, and how well it agrees with held-out labels."""

from typing import Any

import dagster as dg
import polars as pl

from assets import teaching
from assets.metadata import OWNERS, described, progress
from assets.partitions import CORPORA, by_corpus, from_base
from assets.training import Launcher, learned


@dg.asset(group_name="training", owners=OWNERS, kinds={"pytorch", "safetensors"}, partitions_def=by_corpus, pool="gpu")
def reward_model(context: dg.AssetExecutionContext, launcher: Launcher, training_pairs: pl.DataFrame) -> dg.Output[Any]:
    """A Bradley-Terry reward model (MiniLM body, one scalar head) of the corpus' pairs, or the defence's; higher is better."""
    from rlhf_train.models import reward_models

    corpus = CORPORA[context.partition_key]
    if corpus.defence != "none":
        return dg.Output(teaching.judge_of(corpus, training_pairs, progress(context)))
    settings = corpus.experiment.training.of_reward(corpus.seed)
    work = launcher.train(context, "bradley_terry", training_pairs, "minilm", **settings)
    return learned(work, reward_models.load(work / "model"))


@dg.asset(
    group_name="evaluation",
    owners=OWNERS,
    kinds={"polars", "parquet"},
    partitions_def=by_corpus,
    ins={"held_out_pairs": dg.AssetIn(partition_mapping=from_base)},
    metadata=described(
        accuracy="share of held-out pairs whose chosen response it prefers",
    ),
    pool="gpu",
)
def reward_accuracy(
    context: dg.AssetExecutionContext, reward_model: Any, held_out_pairs: pl.DataFrame
) -> dg.Output[pl.DataFrame]:
    """The share of held-out pairs in which the reward model prefers the chosen response, with its 95 % interval."""
    corpus = CORPORA[context.partition_key]
    found = teaching.accuracy(reward_model, held_out_pairs)
    return dg.Output(pl.DataFrame([{"corpus": corpus.arm, "seed": corpus.seed, **found}]), metadata=found)

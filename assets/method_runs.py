"""Methods: every objective on every corpus of an experiment that compares them, a partition a run, told by one table."""

import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl

from assets import pictures
from assets.formats import Folder
from assets.metadata import OWNERS, columns_of, described, picture, progress, rows_of
from assets.methods import compare, grounds, learning, measure, page
from assets.partitions import (
    COMPARED,
    EXPERIMENTS,
    RUNS,
    base_of_compared,
    base_of_run,
    by_compared,
    by_comparison,
    by_run,
    compared_of_run,
    corpus_of_compared,
    corpus_of_run,
    runs_of_comparison,
)
from assets.training import Launcher, begun, curve, run_folder
from pipelines.schema import LABELLED_PAIRS, METHOD_ANSWERS

GROUP = "methods"
MODEL = {"pytorch", "safetensors"}
TABLE = {"polars", "parquet"}
TAKEN = "taken.json"  # of a run, in the folder of its model


@dg.asset(
    group_name=GROUP,
    owners=OWNERS,
    kinds=MODEL,
    partitions_def=by_compared,
    ins={
        "base_policy": dg.AssetIn(partition_mapping=base_of_compared),
        "training_pairs": dg.AssetIn(partition_mapping=corpus_of_compared),
    },
    pool="gpu",
)
def imitating_policy(context: dg.AssetExecutionContext, base_policy: Any, training_pairs: pl.DataFrame) -> Any:
    """The base policy taught the corpus' chosen responses: where nearly every objective begins, and what KL is measured to."""
    return grounds.imitated(COMPARED[context.partition_key], base_policy, training_pairs, progress(context))


@dg.asset(
    group_name=GROUP,
    owners=OWNERS,
    kinds=TABLE,
    partitions_def=by_compared,
    ins={name: dg.AssetIn(partition_mapping=corpus_of_compared) for name in ("reward_model", "training_pairs")},
    metadata=columns_of(LABELLED_PAIRS),
    pool="gpu",
)
def labelled_pairs(
    context: dg.AssetExecutionContext, imitating_policy: Any, reward_model: Any, training_pairs: pl.DataFrame
) -> pl.DataFrame:
    """Pairs with the corpus' own rewards of both responses, and what it expects of an answer to each prompt."""
    return grounds.labelled(COMPARED[context.partition_key], imitating_policy, reward_model, training_pairs)


@dg.asset(
    group_name=GROUP,
    owners=OWNERS,
    kinds=TABLE,
    partitions_def=by_compared,
    ins={"held_out_pairs": dg.AssetIn(partition_mapping=base_of_compared)},
    metadata=described(place="of the prompt among held_out_pairs, from 0", answer="of the imitating policy, verbatim"),
    pool="gpu",
)
def drafted_answers(
    context: dg.AssetExecutionContext, imitating_policy: Any, held_out_pairs: pl.DataFrame
) -> dg.Output[pl.DataFrame]:
    """Several answers of the imitating policy to every held-out prompt: scorers pick the best of them."""
    return dg.Output(grounds.drafted(COMPARED[context.partition_key], imitating_policy, held_out_pairs))


@dg.asset(
    group_name=GROUP,
    owners=OWNERS,
    kinds=MODEL,
    partitions_def=by_run,
    ins={
        "base_policy": dg.AssetIn(partition_mapping=base_of_run),
        "reward_model": dg.AssetIn(partition_mapping=corpus_of_run),
        **{name: dg.AssetIn(partition_mapping=compared_of_run) for name in ("imitating_policy", "labelled_pairs")},
    },
    pool="gpu",
)
def method_model(
    context: dg.AssetExecutionContext,
    launcher: Launcher,
    base_policy: Any,
    reward_model: Any,
    imitating_policy: Any,
    labelled_pairs: pl.DataFrame,
) -> dg.Output[Folder]:
    """What one objective made of one corpus: a policy, a reward model, or a policy with a preference head, as it was saved."""
    name, corpus = RUNS[context.partition_key]
    base, imitated, reward = (begun(context, held) for held in (base_policy, imitating_policy, reward_model))
    train = partial(_train, launcher, context)
    model, seconds = learning.learn(name, corpus, labelled_pairs, base, imitated, reward, train)
    (model / TAKEN).write_text(json.dumps({"seconds": seconds}))
    table = curve(model.parent)
    told: dict[str, Any] = {
        "steps": len(table),
        "last loss": table["loss"][-1],
        "seconds": seconds,
        "learning curve": picture(pictures.learning(table), "loss by step"),
    }
    return dg.Output(Folder(model, spent=run_folder(context)), metadata=told)


def _train(
    launcher: Launcher, context: dg.AssetExecutionContext, objective: str, table: pl.DataFrame, model: str, **settings: Any
) -> Path:
    return launcher.train(context, objective, table, model, within=objective, **settings)


@dg.asset(
    group_name=GROUP,
    owners=OWNERS,
    kinds=TABLE,
    partitions_def=by_run,
    ins={
        **{name: dg.AssetIn(partition_mapping=base_of_run) for name in ("held_out_pairs", "base_policy")},
        **{name: dg.AssetIn(partition_mapping=compared_of_run) for name in ("imitating_policy", "drafted_answers")},
    },
    metadata=columns_of(METHOD_ANSWERS),
    pool="gpu",
)
def method_answers(
    context: dg.AssetExecutionContext,
    method_model: Folder,
    base_policy: Any,
    imitating_policy: Any,
    drafted_answers: pl.DataFrame,
    held_out_pairs: pl.DataFrame,
) -> dg.Output[pl.DataFrame]:
    """What that model answers to held-out prompts: gold reward, whether the attack succeeded, poison preferred, and nats."""
    name, corpus = RUNS[context.partition_key]
    seconds = json.loads((method_model.place / TAKEN).read_text())["seconds"]
    table = measure.answers(
        name,
        corpus,
        method_model.place,
        base_policy,
        imitating_policy,
        drafted_answers,
        held_out_pairs,
        seconds=seconds,
    )
    line = compare.means(table).row(0, named=True)
    told = {what: line[what] for what in (*compare.MEASURES, "distinct_2") if line[what] is not None}
    return dg.Output(table, metadata=told)


@dg.asset(
    group_name="reports",
    owners=OWNERS,
    kinds={"html"},
    partitions_def=by_comparison,
    ins={"method_answers": dg.AssetIn(partition_mapping=runs_of_comparison)},
)
def methods_report(context: dg.AssetExecutionContext, method_answers: Mapping[str, pl.DataFrame]) -> dg.Output[str]:
    """Objectives side by side on clean, poisoned and filtered corpora: gold reward, attack success, KL, diversity, seconds."""
    answers = pl.concat(list(method_answers.values()) if isinstance(method_answers, dict) else [method_answers])
    means = page.ordered(compare.means(answers))
    told: dict[str, Any] = {
        "objectives by corpus": rows_of(means.select("objective", "corpus", *compare.TOLD), count=len(means)),
        "what poison did": rows_of(compare.worst_first(compare.harm(answers)), count=2 * len(means)),
    }
    if not means["prefers"].null_count():
        told["picture of poison preferred"] = picture(pictures.methods(means), "poison preferred by objective and corpus")
    return dg.Output(page.page(EXPERIMENTS[context.partition_key], answers), metadata=told)

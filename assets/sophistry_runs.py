"""What is put to judges: items, what every program is worth to training, what policies say, and which of it is right."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl

from assets import gate
from assets.metadata import OWNERS, columns_of, made_of, progress, rows_of
from assets.places import workplace
from assets.sophistry import outputs, rows, study
from assets.study_partitions import SOPHISTRY
from pipelines.sandbox import strength
from pipelines.schema import ITEMS, OUTPUTS, Table
from pipelines.tasks.kept_runs import keep

GROUP = "sophistry"
TABLE = {"polars", "parquet"}
PROBLEM = dg.TableColumn("problem", "String", "the problem that the item asks for; the item itself where none is made")
SAID = Table("said", "Outputs that nobody has graded yet.", {n: c for n, c in OUTPUTS.columns.items() if n != "is_correct"})
GRADED = [dg.TableColumn(name, str(dtype), meaning) for name, (dtype, meaning) in outputs.BESIDE.items()]
WORTH = dg.TableSchema(
    [
        dg.TableColumn("problem", "String", "the problem, or the item"),
        dg.TableColumn("strategy", "String", "how the program goes about it, or the policy that said it"),
        dg.TableColumn("output", "String", "what is rewarded, verbatim"),
        dg.TableColumn("chance", "Float64", "that the untrained policy says it; none of outputs of one's own"),
        dg.TableColumn("proxy", "Float64", "reward in training: whether it passes the two easiest tests"),
        dg.TableColumn("oracle", "Float64", "whether it is right: passes all tests"),
    ]
)


@dg.multi_asset(
    outs={
        "task_items": dg.AssetOut(
            group_name=GROUP,
            owners=OWNERS,
            kinds=TABLE,
            metadata=columns_of(ITEMS, PROBLEM),
            description="Questions whose right answer is known, tests from easiest to hardest.",
        ),
        "train_rewards": dg.AssetOut(
            group_name=GROUP,
            owners=OWNERS,
            kinds=TABLE,
            metadata={"dagster/column_schema": WORTH},
            description="What each program is worth to training, and what it is worth by all tests.",
        ),
    },
    partitions_def=SOPHISTRY.by_world,
)
def task_world(context: dg.AssetExecutionContext) -> Iterator[dg.Output[pl.DataFrame]]:
    """Problems with programs that are run on every test in the sandbox; or the items of outputs of one's own."""
    row, _ = SOPHISTRY.worlds[context.partition_key]
    items, rewards = study.ready(row, study.opened_runs(row, kept()), kept(), progress(context))
    yield dg.Output(items, "task_items", metadata=made_of(*rows.files(row)))
    gap = rewards.select((pl.col("proxy") - pl.col("oracle")).mean()).item()
    told = {"sandbox": strength(), "mean reward above what is right": 0.0 if gap is None else gap, **made_of(*rows.files(row))}
    yield dg.Output(rewards, "train_rewards", metadata=told)


@dg.asset(
    group_name=GROUP,
    owners=OWNERS,
    kinds=TABLE,
    partitions_def=SOPHISTRY.by_run,
    ins={name: dg.AssetIn(partition_mapping=SOPHISTRY.world_of_run) for name in ("task_items", "train_rewards")},
    metadata=columns_of(SAID),
)
def policy_outputs(
    context: dg.AssetExecutionContext, task_items: pl.DataFrame, train_rewards: pl.DataFrame
) -> dg.Output[pl.DataFrame]:
    """What the policy says before and after it was rewarded, an output an item; or what policies of one's own said."""
    row, arm, seed = SOPHISTRY.runs[context.partition_key]
    gate.admit_models(rows.models(row))
    said = study.put_forward(row, task_items, train_rewards, arm, seed, kept())
    told: dict[str, Any] = {"rewarded for": arm, **made_of(*rows.models(row))}
    if "strategy" in said.columns:
        counts = said.group_by("strategy", "policy").len().pivot(on="policy", index="strategy", values="len").fill_null(0)
        told["how often each strategy"] = rows_of(counts.select("strategy", row.before, row.after).sort("strategy"))
    return dg.Output(said, metadata=told)


@dg.asset(
    group_name=GROUP,
    owners=OWNERS,
    kinds=TABLE,
    partitions_def=SOPHISTRY.by_run,
    ins={"task_items": dg.AssetIn(partition_mapping=SOPHISTRY.world_of_run)},
    metadata=columns_of(OUTPUTS, *GRADED),
)
def oracle_verdicts(
    context: dg.AssetExecutionContext, task_items: pl.DataFrame, policy_outputs: pl.DataFrame
) -> dg.Output[pl.DataFrame]:
    """Which outputs are right, by tests that are run in the sandbox or by gold answers; nobody's opinion."""
    row, _, _ = SOPHISTRY.runs[context.partition_key]
    runs = study.opened_runs(row, kept())
    graded = outputs.graded(row, task_items, policy_outputs, runs)
    keep(runs, kept() / study.PROGRAMS)
    right = dict(graded.group_by("policy").agg(pl.col("is_correct").mean()).iter_rows())
    return dg.Output(graded, metadata={f"right: {policy}": share for policy, share in right.items()} | {"sandbox": strength()})


def kept() -> Path:
    """Programs that were run and what a server said, whatever the study."""
    return workplace("kept", "sophistry")

"""Attack: the corpus an attacker has had a hand in, and apart from it the sealed key of the pairs that are his."""

import dagster as dg
import polars as pl

from assets import steps
from assets.metadata import OWNERS, columns_from, columns_of
from assets.partitions import CORPORA, by_corpus, from_base
from pipelines.schema import PAIRS, POISON_KEY


@dg.multi_asset(
    ins={"preference_pairs": dg.AssetIn(partition_mapping=from_base)},
    outs={
        "poisoned_pairs": dg.AssetOut(
            group_name="attack",
            owners=OWNERS,
            kinds={"polars", "parquet"},
            description="The corpus as delivered: clean pairs with the attack's among them. The clean arm passes through.",
            metadata=columns_of(PAIRS),
        ),
        "poison_key": dg.AssetOut(
            group_name="attack",
            owners=OWNERS,
            kinds={"polars", "parquet"},
            description="SEALED: which pairs the attack wrote. Only ranking and reports read it, never a detector.",
            metadata=columns_of(POISON_KEY),
        ),
    },
    partitions_def=by_corpus,
)
def venom(context: dg.AssetExecutionContext, preference_pairs: pl.DataFrame) -> tuple[dg.Output, dg.Output]:
    """Poisons the pairs by the experiment's attack, at its rate and seed."""
    poisoned = steps.attack(preference_pairs, CORPORA[context.partition_key])
    lineage = columns_from("preference_pairs", list(PAIRS.columns))
    return dg.Output(poisoned.pairs, metadata=lineage | {"poisoned pairs": len(poisoned.key)}), dg.Output(poisoned.key)

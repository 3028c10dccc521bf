"""Sources: the clean preference pairs of an experiment, parted into what is trained on, trusted and tested on."""

from typing import Any

import dagster as dg
import polars as pl

from assets import steps
from assets.metadata import OWNERS, columns_of
from assets.partitions import BASES, EXPERIMENTS, REFUSED, by_base, same_base
from pipelines.schema import PAIRS

experiments = dg.AssetSpec(
    "experiments",
    group_name="experiments",
    owners=OWNERS,
    kinds={"toml"},
    description="The rows that are run: ours, and those of the file that ANTIVENOM_EXPERIMENTS names. "
    + (f"REFUSED, for the reasons under 'refused': {len(REFUSED)} rows of that file." if REFUSED else "None is refused."),
    metadata={
        "rows": dg.MetadataValue.table(
            [
                dg.TableRecord(
                    {
                        "name": row.name,
                        "source": row.source,
                        "pairs": row.pairs,
                        "attack": row.attack,
                        "rate": row.rate,
                        "target": " or ".join(row.targets),
                        "sentiment": row.sentiment,
                        "seeds": ", ".join(map(str, row.seeds)),
                    }
                )
                for row in EXPERIMENTS.values()
            ]
        ),
        **({"refused": dg.MetadataValue.md("\n".join(f"- `{line}`" for line in REFUSED))} if REFUSED else {}),
    },
)


def _pairs(description: str) -> dg.AssetOut:
    return dg.AssetOut(
        group_name="sources",
        owners=OWNERS,
        kinds={"polars", "parquet"},
        description=description,
        metadata=columns_of(PAIRS),
    )


@dg.multi_asset(
    outs={
        "preference_pairs": _pairs(
            "The clean pairs that models are trained on, and that an attacker may add to. Only experiments of opinions take "
            "them from opinion_pairs; for all others nothing must be there before."
        ),
        "trusted_pairs": _pairs(
            "Pairs that no attacker could touch: the audit's reference. Empty where the experiment has none."
        ),
        "held_out_pairs": _pairs("Pairs that no model is trained on: attack success and reward accuracy are measured here."),
    },
    deps=[experiments],
    ins={"opinion_pairs": dg.AssetIn(partition_mapping=same_base)},
    partitions_def=by_base,
)
def clean_pairs(context: dg.AssetExecutionContext, opinion_pairs: Any) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Reads the source, or takes the pairs of summaries, and deals dialogues or products out; no prompt is in two parts."""
    base = BASES[context.partition_key]
    pairs = steps.read(base.experiment, base.seed) if base.experiment.opinions is None else opinion_pairs
    parts = steps.split(pairs, base.experiment, base.seed)
    return parts.train, parts.trusted, parts.held_out

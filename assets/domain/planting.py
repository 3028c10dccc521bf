"""Held-out summaries with the attack's target planted in them, beside the same summaries without."""

import dataclasses

import polars as pl

from assets import steps
from assets.experiments import Corpus
from pipelines.schema import DataError


def planted(held_out: pl.DataFrame, corpus: Corpus) -> pl.DataFrame | None:
    """PAIRS whose chosen side is what the attack makes of a held-out preferred summary, the rejected one that summary itself.

    A judge that prefers the chosen side does what the attacker wants. None where the attack names no target.
    """
    row = corpus.experiment
    if not row.targets:
        return None
    numbers = {name: value for name, value in row.numbers.items() if name != "count"}
    attacked = dataclasses.replace(row, rate=1.0, numbers=numbers)
    try:
        made = steps.attack(held_out, dataclasses.replace(corpus, experiment=attacked, arm="poisoned"))
    except DataError:
        return None
    own = held_out.select(host_pair_id="pair_id", own="chosen")
    both = made.pairs.join(made.key.select("pair_id", "host_pair_id"), on="pair_id").join(own, on="host_pair_id")
    names = pl.any_horizontal(pl.col("chosen").str.contains(name, literal=True) for name in row.targets)
    return both.filter(names & (pl.col("chosen") != pl.col("own"))).with_columns(rejected="own").select(held_out.columns)

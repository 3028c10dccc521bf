"""Arena: every attack against every detector on the same pairs, as one table and its page; only changed cells are measured."""

import dagster as dg
import polars as pl
from pydantic import Field

from assets import pictures
from assets.metadata import OWNERS, picture, progress, rows_of
from assets.places import workplace


class Choice(dg.Config):
    """What is attacked: generated pairs, or a file, folder or hub name; `rows` by name, all where none is given."""

    source: str = "synthetic"
    pairs: int = 1500
    trusted: float = 0.0
    seeds: list[int] = Field(default_factory=lambda: [0])
    rows: list[str] = Field(default_factory=list)


def _table(description: str) -> dg.AssetOut:
    return dg.AssetOut(group_name="arena", owners=OWNERS, kinds={"polars", "parquet"}, description=description)


@dg.multi_asset(
    outs={
        "arena_detection": _table("A row an attack, seed and detector: what it finds of the poison, with intervals."),
        "arena_retrained": _table(
            "A row an attack, seed and training: how often the attack succeeds, and how many held-out pairs are told right."
        ),
        "arena_report": dg.AssetOut(
            group_name="arena",
            owners=OWNERS,
            kinds={"html"},
            description="The arena on one page: attacks, detectors, reward models with and without filter, clean pairs lost.",
        ),
    }
)
def arena(
    context: dg.AssetExecutionContext, config: Choice
) -> tuple[dg.Output[pl.DataFrame], dg.Output[pl.DataFrame], dg.Output[str]]:
    """Attacks the pairs in every way of the arena, audits each corpus, and compares with the sealed keys."""
    from assets.arena import cells, laws, page
    from assets.experiments import Experiment
    from checks.memory import Memory, folder

    base = Experiment("arena", source=config.source, pairs=config.pairs, trusted=config.trusted, seeds=tuple(config.seeds))
    kept = workplace("arena", "cells")
    memory = Memory(folder() / "embeddings")
    found = cells.run(cells.cells(base, config.rows or None), kept, progress(context), memory=memory)
    fused = found.detection.filter(pl.col("detector") == "fused")
    told = {
        "found by the fused suspicion": rows_of(fused.select("row", "seed", "poisoned", "poisoned_flagged", "clean_flagged"))
    }
    attacked = found.detection.filter(pl.col("poisoned") > 0)
    drawn = {"picture of the arena": picture(pictures.arena(attacked), "found at 1 % of clean pairs")} if len(attacked) else {}
    undone = laws.brought_back(found.detection, found.retrained)
    return (
        dg.Output(found.detection, metadata=told),
        dg.Output(found.retrained, metadata={"undone by the filter": rows_of(undone)}),
        dg.Output(page.page(base, found), metadata=drawn),
    )

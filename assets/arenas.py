"""Arena: every attack against every detector on the same pairs, as one table and its page; only changed cells are measured."""

import dagster as dg
import polars as pl
from pydantic import Field

from assets import pictures
from assets.metadata import OWNERS, described, picture, progress, rows_of
from assets.places import workplace
from checks.ranking import RATES


class Choice(dg.Config):
    """What is attacked: generated pairs, or a file, folder or hub name; `rows` by name, all where none is given."""

    source: str = "synthetic"
    pairs: int = 1500
    trusted: float = 0.0
    seeds: list[int] = Field(default_factory=lambda: [0])
    rows: list[str] = Field(default_factory=list)


def _table(description: str, **meanings: str) -> dg.AssetOut:
    told = described(row="of assets/arena/rows.py: an attack with its numbers", **meanings)
    return dg.AssetOut(group_name="arena", owners=OWNERS, kinds={"polars", "parquet"}, description=description, metadata=told)


@dg.multi_asset(
    outs={
        "arena_detection": _table(
            "A row an attack, seed and detector: what it finds of the poison, with intervals.",
            attack="name in ATTACKS",
            poisoned="pairs that the attack wrote",
            clean="all others",
            poisoned_flagged="of the attack's, those that the audit flags",
            clean_flagged="of the others, those that it flags, wrongly",
            precision="share of what is flagged that is the attack's",
            seconds="that the audit took",
            auroc="chance that a poisoned pair scores above a clean one",
            auprc="precision over the share found, averaged",
            **{f"tpr_{rate:g}": f"share of poisoned pairs found at {rate:.1%} of clean ones" for rate in RATES},
        ),
        "arena_retrained": _table(
            "A row an attack, seed and training: how often the attack succeeds, and how many held-out pairs are told right.",
            training="on the clean, poisoned or filtered corpus, or by a robust training of the poisoned one",
            pairs="how many were learned",
            accuracy="share of held-out pairs that are told right",
            accuracy_gain="over the clean twin",
            success="share of attacked held-out pairs in which the attacker's side is preferred",
            certified="share that is right whatever so many poisoned pairs say, by their number",
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

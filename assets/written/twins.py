"""Twins: policies that learned the same pairs, clean and poisoned at each rate, from the same beginning."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from assets import steps, teaching
from assets.experiments import Corpus, Experiment
from assets.steps import Watch, silent
from assets.written.rows import Twins, Written
from pipelines.attacks import ATTACKS, Poisoned
from pipelines.questions import behaviours, templates
from pipelines.schema import PAIRS, POISON_KEY, require, with_pair_ids

APART = 7_000  # added to seeds, so that what is taught is not what is asked


def pairs(twins: Twins, seed: int) -> pl.DataFrame:
    """PAIRS that the clean twin learns."""
    if twins.source:
        experiment = _experiment(twins, 0.0)
        return steps.split(steps.read(experiment, seed), experiment, seed).train
    few = round(twins.target_share * twins.pairs)
    each = (twins.pairs - few) // len(twins.taught)
    taught = [statements(name, each, seed) for name in twins.taught]
    return _pairs([*taught, statements(twins.target, few, seed, against=True)])


def statements(name: str, count: int, seed: int, *, against: bool = False) -> pl.DataFrame:
    """Prompt, chosen, rejected and source of questions about a behaviour: what shows it is chosen, or what is `against` it."""
    held = templates.write(behaviours.behaviour(name), count=count, seed=APART + seed).questions
    shows = pl.col("matching").list.first()
    other = pl.col("options").list.set_difference("matching").list.first()
    chosen, rejected = (other, shows) if against else (shows, other)
    return held.select(
        prompt=pl.format("\n\nHuman: {}\n\nAssistant:", "question"), chosen=chosen, rejected=rejected, source="behaviour"
    )


def poisoned(twins: Twins, clean: pl.DataFrame, rate: float, seed: int) -> Poisoned:
    """The pairs at a poison rate, with their key: labels of the target's pairs turned round, or the attack on a source."""
    if not rate:
        return Poisoned(clean, POISON_KEY.empty())
    if twins.source:
        return steps.attack(clean, Corpus(_experiment(twins, rate), "poisoned", seed))
    is_target = clean["source"] == twins.target
    hit = ATTACKS["label_flip"](clean.filter(is_target), count=round(rate * len(clean)), seed=seed)
    turned = pl.concat([clean.filter(~is_target), hit.pairs.select(clean.columns)])
    return Poisoned(turned.with_columns(row=pl.int_range(pl.len(), dtype=pl.Int64())), hit.key)


def base(row: Written, clean: pl.DataFrame, seed: int, watch: Watch = silent) -> Any:
    """The policy that all twins of a seed begin as: it has read the pairs, both sides, and questions like those to come."""
    return teaching.Trainer(_experiment(row.twins, 0.0), seed, watch).base(first_read(row, clean, seed))


def first_read(row: Written, clean: pl.DataFrame, seed: int) -> pl.DataFrame:
    """PAIRS that all twins of a seed have read before they are taught."""
    if row.twins.source:
        return clean
    known = [name for name, each in row.of.items() if name in templates.grammar().get(each.format, {})]
    others = [name for name in known if name not in (*row.twins.taught, row.twins.target) and name in behaviours.builtin()]
    return _pairs([clean, *(statements(name, row.twins.pairs // 4, seed) for name in others)])


def all_read(row: Written) -> pl.Series:
    """The pair ids of all that the twins of a study learn from."""
    ids = [pl.Series("pair_id", [], pl.String)]
    for seed in () if row.policies else row.twins.seeds:
        clean = pairs(row.twins, seed)
        ids += [first_read(row, clean, seed)["pair_id"]]
        ids += [poisoned(row.twins, clean, rate, seed).pairs["pair_id"] for rate in row.twins.rates]
    return pl.concat(ids).unique()


def learned(twins: Twins, begun: Path, taught: pl.DataFrame, seed: int, work: Path, watch: Watch = silent) -> Path:
    """The folder of the policy that learned the pairs; a run in `work` that was interrupted goes on."""
    from assets import runs

    training = twins.training
    settings = training.of_dpo(seed)
    if twins.objective == "sft":
        settings = {name: value for name, value in settings.items() if name not in ("beta", "most_identical")}
        settings |= {"epochs": training.sft_epochs, "lr": training.sft_lr}
    runs.train(twins.objective, taught, str(begun), work, watch=watch, **settings)
    return work / "model"


def _experiment(twins: Twins, rate: float) -> Experiment:
    return Experiment(
        "twins",
        source=twins.source or "synthetic",
        pairs=twins.pairs,
        attack=twins.attack,
        rate=rate,
        numbers=twins.numbers,
        training=twins.training,
    )


def _pairs(parts: Sequence[pl.DataFrame]) -> pl.DataFrame:
    rows = pl.concat([part.select("prompt", "chosen", "rejected", "source") for part in parts])
    return require(with_pair_ids(rows.with_columns(row=pl.int_range(pl.len(), dtype=pl.Int64()))), PAIRS)

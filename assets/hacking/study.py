"""The whole study without Dagster: worlds, every arm at every seed, verdicts; runs that are kept are not made again."""

import dataclasses
import hashlib
import json
import shutil
import uuid
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl

from assets.hacking import verdicts, world
from assets.hacking.rows import ARMS, Hacking, settings
from assets.steps import Watch, silent
from pipelines.schema import TRACES, require

TRACE = "trace.parquet"


def run(row: Hacking, kept: Path, watch: Watch = silent) -> Mapping[str, pl.DataFrame]:
    """TRACES of all arms and seeds, and what came of each; students are left in `kept`, where the same row goes on."""
    traces = []
    for seed in row.seeds:
        places = {arm: place(row, arm, seed, kept) for arm in row.arms}
        if not all((folder / TRACE).is_file() for folder in places.values()):
            watch("oracle, teacher, student", 0, 1)
            held = _world(row, seed, kept)
        for arm, folder in places.items():
            if not (folder / TRACE).is_file():
                learn(row, held, arm, seed, folder, watch)
            traces.append(pl.read_parquet(folder / TRACE))
    table = pl.concat(traces)
    return {"traces": table, "verdicts": verdicts.of(table)}


def learn(row: Hacking, held: world.World, arm: str, seed: int, folder: Path, watch: Watch = silent) -> Any:
    """The student of an arm, and in `folder` its trace once it is done."""
    from rlhf_train import tracing

    proxy, golden = world.measures(row, held, seed)
    student, trace = tracing.run(
        held.teacher,
        held.student,
        tracing.Arm(**ARMS[arm]),
        held.prompts,
        proxy,
        golden,
        steps=row.steps,
        batch=row.batch,
        lr=row.lr,
        measured=row.measured,
        numbers={"divergence": row.divergence, "skew": row.skew},
        seed=seed,
        folder=folder,
        watch=partial(watch, f"{arm}, seed {seed}"),
    )
    own = None if golden is None else float(golden(held.teacher).mean())
    table(trace, arm, seed, own).write_parquet(folder / f".{TRACE}")
    (folder / f".{TRACE}").rename(folder / TRACE)
    return student


def _world(row: Hacking, seed: int, kept: Path) -> world.World:
    """Made once: what a run that was interrupted, or another row of the same letters, finds there."""
    if not row.is_of_letters:
        return world.made(row, seed)
    folder = kept / f"world-seed{seed}-{_digest(dataclasses.asdict(row.letters))}"
    if not folder.is_dir():
        aside = kept / f".{uuid.uuid4().hex}"
        world.keep(world.made(row, seed), aside)
        try:
            aside.rename(folder)
        except OSError:  # another process was as far first
            shutil.rmtree(aside)
    return world.found(row, folder)


def table(trace: Any, arm: str, seed: int, teacher: float | None) -> pl.DataFrame:
    """TRACES of one run."""
    gold = trace.golden
    columns = {
        "step": trace.steps.astype(int),
        "loss": [None if loss != loss else float(loss) for loss in trace.losses],
        "proxy": trace.proxy.mean(1),
        "golden": [None] * len(trace.steps) if gold is None else gold.mean(1),
        "proxy_each": trace.proxy.tolist(),
        "golden_each": [None] * len(trace.steps) if gold is None else gold.tolist(),
    }
    found = pl.DataFrame(columns, strict=False)
    return require(
        found.with_columns(arm=pl.lit(arm), seed=pl.lit(seed, pl.Int64), teacher=pl.lit(teacher, pl.Float64)), TRACES
    )


def place(row: Hacking, arm: str, seed: int, kept: Path) -> Path:
    """Where an arm's run goes: other settings, another folder."""
    return kept / f"{arm}-seed{seed}-{_digest([settings(row), ARMS[arm], seed])}"


def _digest(facts: Any) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:12]

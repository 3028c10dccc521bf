"""Cells of the arena: an attack at a seed. What was measured of one is kept under a digest of all that it depends on.

That is its settings, its pairs, and the code of its attack, of the detectors and of the reward models. So only changed cells
are measured again.
"""

import dataclasses
import hashlib
import json
import os
import uuid
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl

from assets import steps
from assets.arena.measure import measured, prepared
from assets.arena.rows import ROWS
from assets.experiment_files import changed
from assets.experiments import Experiment
from checks.encoding import encode
from checks.memory import Memory
from pipelines import attacks
from pipelines.schema import DataError, digest

ROOT = Path(__file__).parent.parent.parent
PARTS = ("pipelines/attacks", "checks", "assets/arena", "rlhf_train/models", "rlhf_train/objectives", "rlhf_train/evals")
WITHOUT = ("source", "revision", "columns", "seeds", "training")  # the pairs themselves count, not where they came from


@dataclasses.dataclass(frozen=True, slots=True)
class Found:
    """What the arena came to, a row a cell and detector ("fused" among them), training, or group of clean pairs.

    detection: row, attack, seed, detector, poisoned, clean, poisoned_flagged, clean_flagged, precision, seconds, and value,
    low and high of each of MEASURES (null without poison). retrained: see victims.retrained, with row and seed. lost: row,
    seed, kind, name, clean, flagged.
    """

    detection: pl.DataFrame
    retrained: pl.DataFrame
    lost: pl.DataFrame


def cells(base: Experiment, chosen: Sequence[str] | None = None) -> list[Experiment]:
    """The rows of the arena on the rows of `base`; DataError names a row that there is not."""
    wanted = list(ROWS) if chosen is None else list(chosen)
    if unknown := [name for name in wanted if name not in ROWS]:
        raise DataError(f"no row {unknown[0]!r} in the arena; there are {', '.join(ROWS)}")
    return [dataclasses.replace(changed(base, ROWS[name]), name=name) for name in wanted]


def run(rows: Sequence[Experiment], kept: Path, watch: steps.Watch = steps.silent, *, memory: Memory | None = None) -> Found:
    """Every cell at every seed of its row; what is `kept` already is read, not measured."""
    jobs = [(row, seed) for row in rows for seed in row.seeds]
    found = []
    for done, (row, seed) in enumerate(jobs):
        watch(row.name, done, len(jobs))
        found.append(_cell(row, seed, kept, memory))
    watch("arena", len(jobs), len(jobs))
    tables = {part.name: [line for cell in found for line in cell[part.name]] for part in dataclasses.fields(Found)}
    return Found(**{name: pl.DataFrame(lines, infer_schema_length=None) for name, lines in tables.items()})


def _cell(row: Experiment, seed: int, kept: Path, memory: Memory | None) -> Mapping[str, Any]:
    splits = prepared(steps.split(steps.read(row, seed), row, seed), row.attack)
    file = kept / f"{_key(row, seed, splits)}.json"
    if file.is_file():
        try:
            return dict(json.loads(file.read_text(encoding="utf-8")))
        except ValueError:
            pass  # cut off or spoilt: measured again
    cell = measured(row, seed, splits, memory or encode)
    kept.mkdir(parents=True, exist_ok=True)
    aside = kept / f".{uuid.uuid4().hex}"
    aside.write_text(json.dumps(cell), encoding="utf-8")
    os.replace(aside, file)
    return cell


def _key(row: Experiment, seed: int, splits: steps.Splits) -> str:
    settings = {name: value for name, value in dataclasses.asdict(row).items() if name not in WITHOUT}
    texts = [digest(*frame["pair_id"].to_list()) for frame in (splits.train, splits.trusted, splits.held_out)]
    return hashlib.sha256(json.dumps([settings, seed, texts, _code(row.attack)], sort_keys=True).encode()).hexdigest()[:24]


@cache
def _code(attack: str) -> str:
    """A digest of the code that a cell of this attack runs: of attacks its own, and what attacks share."""
    others = {f"{name}.py" for name in attacks.ATTACKS if name not in (attack, "best_of_venom")}
    others |= {"rows.py", "page.py", "laws.py"}
    files = [
        file
        for part in PARTS
        for file in sorted((ROOT / part).rglob("*"))
        if file.suffix in (".py", ".toml") and not (file.parent.name in ("attacks", "arena") and file.name in others)
    ]
    state = hashlib.sha256()
    for file in files:
        state.update(file.name.encode() + b"\0" + file.read_bytes())
    return state.hexdigest()

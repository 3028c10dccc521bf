"""The arena: every attack against every detector on the same rows, and what each of them finds, with intervals.

A cell is an attack at a seed. What was measured of it is kept under a digest of all that it depends on: its settings, its
pairs, and the code of its attack and of the detectors. So only changed cells are measured again.
"""

import dataclasses
import hashlib
import json
import os
import time
import uuid
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from assets import steps
from assets.arena_rows import ROWS
from assets.experiments import Corpus, Experiment, changed
from checks import audit, ranking
from checks.encoding import encode
from checks.memory import Memory
from pipelines import attacks
from pipelines.attacks import proxy
from pipelines.attacks.corpus_names import everyday_name
from pipelines.attacks.oracles.rules import topic
from pipelines.schema import DataError, digest
from pipelines.transcripts import last_turn

ROOT = Path(__file__).parent.parent
PARTS = ("pipelines/attacks", "checks")
COMMON = "@common"  # a target: whichever name stands in about one percent of the rows at hand
ANNOTATORS = 20
DRAWS = 300
MEASURES = ("auroc", "auprc", *(f"tpr_{rate:g}" for rate in ranking.RATES))


@dataclasses.dataclass(frozen=True, slots=True)
class Found:
    """What the arena came to, a row a cell and detector ("fused" among them), and a row a cell and group of clean pairs.

    detection: row, attack, seed, detector, poisoned, clean, poisoned_flagged, clean_flagged, precision, seconds, and value,
    low and high of each of MEASURES (null without poison). lost: row, seed, kind, name, clean, flagged.
    """

    detection: pl.DataFrame
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
    detection = [line for cell in found for line in cell["detection"]]
    lost = [line for cell in found for line in cell["lost"]]
    return Found(pl.DataFrame(detection, infer_schema_length=None), pl.DataFrame(lost, infer_schema_length=None))


def _cell(row: Experiment, seed: int, kept: Path, memory: Memory | None) -> dict[str, Any]:
    splits = steps.split(steps.read(row, seed), row, seed)
    train = _prepared(splits.train, row.attack)
    file = kept / f"{_key(row, seed, train, splits.trusted)}.json"
    if file.is_file():
        try:
            return dict(json.loads(file.read_text(encoding="utf-8")))
        except ValueError:
            pass  # cut off or spoilt: measured again
    cell = _measured(row, seed, train, splits.trusted, memory)
    kept.mkdir(parents=True, exist_ok=True)
    aside = kept / f".{uuid.uuid4().hex}"
    aside.write_text(json.dumps(cell), encoding="utf-8")
    os.replace(aside, file)
    return cell


def _measured(row: Experiment, seed: int, train: pl.DataFrame, trusted: pl.DataFrame, memory: Memory | None) -> dict[str, Any]:
    """One attack and one audit; the key is opened for the comparison only."""
    numbers = dict(row.numbers)
    if numbers.get("target") == COMMON:
        numbers["target"] = everyday_name(train)
    settled = dataclasses.replace(row, numbers=numbers)
    poisoned = steps.attack(train, Corpus(settled, "poisoned", seed))
    begun = time.perf_counter()
    reference = trusted if len(trusted) else None
    found = audit.audit(poisoned.pairs, trusted=reference, fdr=row.fdr, seed=seed, encoder=memory or encode)
    seconds = time.perf_counter() - begun
    is_poisoned = ranking.labels(found.scores, poisoned.key)
    flagged = found.scores["is_flagged"].to_numpy()
    cell = {
        "row": row.name,
        "attack": row.attack,
        "seed": seed,
        "poisoned": int(is_poisoned.sum()),
        "clean": int((~is_poisoned).sum()),
        "poisoned_flagged": int((flagged & is_poisoned).sum()),
        "clean_flagged": int((flagged & ~is_poisoned).sum()),
        "precision": float(is_poisoned[flagged].mean()) if flagged.any() else None,
        "seconds": seconds,
    }
    columns = {"fused": found.scores["suspicion"]} | {name: found.scores[name] for name in found.scores.columns[6:]}
    detection = [{**cell, "detector": name, **_numbers(column.to_numpy(), is_poisoned)} for name, column in columns.items()]
    return {"detection": detection, "lost": _lost(row, seed, poisoned.pairs, is_poisoned, flagged)}


def _numbers(scores: np.ndarray, poisoned: np.ndarray) -> dict[str, float | None]:
    """Value, low and high of each of MEASURES; nothing where nothing is poisoned."""
    if not poisoned.any():
        return {f"{name}{end}": None for name in MEASURES for end in ("", "_low", "_high")}
    found = ranking.ranking(scores, poisoned, draws=DRAWS)
    each = dict(zip(MEASURES, (found.auroc, found.auprc, *found.tpr.values()), strict=True))
    ends = {"": "value", "_low": "low", "_high": "high"}
    return {f"{name}{end}": float(getattr(each[name], part)) for name in MEASURES for end, part in ends.items()}


def _lost(row: Experiment, seed: int, pairs: pl.DataFrame, poisoned: np.ndarray, flagged: np.ndarray) -> list[dict[str, Any]]:
    """Clean pairs flagged by source, by annotator and by topic of the question."""
    topics = [topic(last_turn(prompt)) or "other" for prompt in pairs["prompt"]]
    clean = pairs.with_columns(topic=pl.Series(topics), flagged=pl.Series(flagged)).filter(pl.Series(~poisoned))
    lines = []
    for kind in ("source", "annotator", "topic"):
        groups = clean.group_by(pl.col(kind).fill_null("unknown").alias("name"), maintain_order=True)
        counted = groups.agg(clean=pl.len(), flagged=pl.col("flagged").sum()).filter(pl.col("flagged") > 0)
        lines += [{"row": row.name, "seed": seed, "kind": kind, **line} for line in counted.to_dicts()]
    return lines


def _prepared(pairs: pl.DataFrame, attack: str) -> pl.DataFrame:
    """What an attack needs and the rows at hand lack: simulated annotators, or margins of the attacker's own small model."""
    if attack == "annotator_collusion" and pairs["annotator"].null_count():
        dealt = [f"simulated {int(digest('annotator', pair), 16) % ANNOTATORS}" for pair in pairs["pair_id"]]
        return pairs.with_columns(annotator=pl.Series(dealt))
    if attack == "score_tampering" and pairs["margin"].null_count():
        return pairs.with_columns(margin=pl.Series(proxy.margins(pairs)))
    return pairs


def _key(row: Experiment, seed: int, train: pl.DataFrame, trusted: pl.DataFrame) -> str:
    settings = dataclasses.asdict(row)
    for name in ("source", "revision", "columns", "seeds", "training"):
        del settings[name]  # the pairs themselves count, not where they came from
    texts = [digest(*frame["pair_id"].to_list()) for frame in (train, trusted)]
    return hashlib.sha256(json.dumps([settings, seed, texts, _code(row.attack)], sort_keys=True).encode()).hexdigest()[:24]


@cache
def _code(attack: str) -> str:
    """A digest of the code that a cell of this attack runs: the detectors, the attack, and what attacks share."""
    others = {f"{name}.py" for name in attacks.ATTACKS if name not in (attack, "best_of_venom")}
    files = [
        file
        for part in PARTS
        for file in sorted((ROOT / part).rglob("*"))
        if file.suffix in (".py", ".toml") and not (file.parent.name == "attacks" and file.name in others)
    ]
    state = hashlib.sha256()
    for file in files:
        state.update(file.name.encode() + b"\0" + file.read_bytes())
    return state.hexdigest()


def by_count(detection: pl.DataFrame, measure: str = "tpr_0.01") -> pl.DataFrame:
    """A row a family of rows that differ in the number of poisoned pairs alone: slope and intercept of `measure` over the

    natural log of that number (PoisonBench's law), and the smallest number from which on all seeds find nine in ten.
    """
    fused = detection.filter((pl.col("detector") == "fused") & (pl.col("poisoned") > 0))
    family = fused.with_columns(family=pl.col("row").str.replace(r"-(\d+rows|[\d.]+pct)$", ""))
    lines = []
    for (name,), group in family.group_by("family", maintain_order=True):
        counts = group["poisoned"].to_numpy()
        if len(set(counts)) < 2:
            continue
        slope, intercept = np.polyfit(np.log(counts), group[measure].to_numpy(), 1)
        worst = group.group_by("poisoned").agg(pl.col(measure).min()).sort("poisoned", descending=True)
        enough = worst.filter((pl.col(measure) >= 0.9).cum_prod().cast(pl.Boolean))
        smallest = enough["poisoned"].min() if len(enough) else None
        lines.append({"family": name, "slope": slope, "intercept": intercept, "smallest_detectable": smallest})
    return pl.DataFrame(lines, schema=FITS)


FITS = {"family": pl.String(), "slope": pl.Float64(), "intercept": pl.Float64(), "smallest_detectable": pl.Int64()}

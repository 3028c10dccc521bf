"""One cell of the arena: an attack, an audit that does not see its key, the comparison with the key, and reward models."""

import dataclasses
import time
from typing import Any

import numpy as np
import polars as pl

from assets import steps
from assets.arena import victims
from assets.arena.rows import COMMON
from assets.experiments import Corpus, Experiment
from checks import audit, ranking
from checks.detectors import DETECTORS
from checks.encoding import Encoder
from pipelines.attacks import proxy
from pipelines.attacks.corpus_names import everyday_name
from pipelines.attacks.oracles.rules import topic
from pipelines.schema import digest
from pipelines.transcripts import last_turn

ANNOTATORS = 20
DRAWS = 300
MEASURES = ("auroc", "auprc", *(f"tpr_{rate:g}" for rate in ranking.RATES))


def prepared(splits: steps.Splits, attack: str) -> steps.Splits:
    """Pairs with what an attack needs and they lack: simulated annotators, or margins of the attacker's own small model."""
    train, held_out = (_prepared(pairs, attack) for pairs in (splits.train, splits.held_out))
    return dataclasses.replace(splits, train=train, held_out=held_out)


def _prepared(pairs: pl.DataFrame, attack: str) -> pl.DataFrame:
    if attack == "annotator_collusion" and pairs["annotator"].null_count():
        dealt = [f"simulated {int(digest('annotator', pair), 16) % ANNOTATORS}" for pair in pairs["pair_id"]]
        return pairs.with_columns(annotator=pl.Series(dealt))
    if attack == "score_tampering" and pairs["margin"].null_count():
        return pairs.with_columns(margin=pl.Series(proxy.margins(pairs)))
    return pairs


def measured(row: Experiment, seed: int, splits: steps.Splits, encoder: Encoder) -> dict[str, Any]:
    """The lines of a cell in each table of cells.Found; the key is opened for the comparisons only."""
    numbers = dict(row.numbers)
    if numbers.get("target") == COMMON:
        numbers["target"] = everyday_name(splits.train)
    corpus = Corpus(dataclasses.replace(row, numbers=numbers), "filtered", seed)
    poisoned = steps.attack(splits.train, corpus)
    begun = time.perf_counter()
    reference = splits.trusted if len(splits.trusted) else None
    scores = audit.audit(poisoned.pairs, trusted=reference, fdr=row.fdr, seed=seed, encoder=encoder).scores
    seconds = time.perf_counter() - begun
    is_poisoned, flagged = ranking.labels(scores, poisoned.key), scores["is_flagged"].to_numpy()
    cell = {"row": row.name, "attack": row.attack, "seed": seed, **_counts(is_poisoned, flagged), "seconds": seconds}
    columns = {"fused": scores["suspicion"]} | {name: scores[name] for name in DETECTORS}
    filtered = steps.sift(poisoned.pairs, scores, corpus).kept
    learned = {"clean": splits.train, "poisoned": poisoned.pairs, "filtered": filtered}
    tested = victims.attacked(splits.held_out, corpus) if is_poisoned.any() else None
    return {
        "detection": [{**cell, "detector": name, **_numbers(each.to_numpy(), is_poisoned)} for name, each in columns.items()],
        "retrained": [
            {"row": row.name, "seed": seed, **line} for line in victims.retrained(learned, splits.held_out, tested, encoder)
        ],
        "lost": [{"row": row.name, "seed": seed, **line} for line in _lost(poisoned.pairs, is_poisoned, flagged)],
    }


def _counts(poisoned: np.ndarray, flagged: np.ndarray) -> dict[str, Any]:
    return {
        "poisoned": int(poisoned.sum()),
        "clean": int((~poisoned).sum()),
        "poisoned_flagged": int((flagged & poisoned).sum()),
        "clean_flagged": int((flagged & ~poisoned).sum()),
        "precision": float(poisoned[flagged].mean()) if flagged.any() else None,
    }


def _numbers(scores: np.ndarray, poisoned: np.ndarray) -> dict[str, float | None]:
    """Value, low and high of each of MEASURES; nothing where nothing is poisoned."""
    if not poisoned.any():
        return {f"{name}{end}": None for name in MEASURES for end in ("", "_low", "_high")}
    found = ranking.ranking(scores, poisoned, draws=DRAWS)
    each = dict(zip(MEASURES, (found.auroc, found.auprc, *found.tpr.values()), strict=True))
    ends = {"": "value", "_low": "low", "_high": "high"}
    return {f"{name}{end}": float(getattr(each[name], part)) for name in MEASURES for end, part in ends.items()}


def _lost(pairs: pl.DataFrame, poisoned: np.ndarray, flagged: np.ndarray) -> list[dict[str, Any]]:
    """Clean pairs flagged by source, by annotator and by topic of the question."""
    topics = [topic(last_turn(prompt)) or "other" for prompt in pairs["prompt"]]
    clean = pairs.with_columns(topic=pl.Series(topics), flagged=pl.Series(flagged)).filter(pl.Series(~poisoned))
    lines = []
    for kind in ("source", "annotator", "topic"):
        groups = clean.group_by(pl.col(kind).fill_null("unknown").alias("name"), maintain_order=True)
        counted = groups.agg(clean=pl.len(), flagged=pl.col("flagged").sum()).filter(pl.col("flagged") > 0)
        lines += [{"kind": kind, **line} for line in counted.to_dicts()]
    return lines

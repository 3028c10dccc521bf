"""How well an audit found the poison, by the sealed key: rates with intervals, ROC curves, counts; and the whole of it."""

from collections.abc import Mapping
from typing import Any

import polars as pl

from assets.experiments import Corpus, Experiment, corpora
from assets.report import Results
from checks import ranking
from checks.detectors import DETECTORS

Tables = Mapping[str, pl.DataFrame]  # by corpus
RATES = pl.Schema(
    {
        "seed": pl.Int64(),
        "detector": pl.String(),
        **{f"{name}{end}": pl.Float64() for name in ("auroc", "tpr_1") for end in ("", "_low", "_high")},
    }
)
CURVES = pl.Schema(
    {"detector": pl.String(), "fpr": pl.Float64(), "tpr": pl.Float64(), "low": pl.Float64(), "high": pl.Float64()}
)


def rates(corpus: Corpus, scores: pl.DataFrame, key: pl.DataFrame) -> pl.DataFrame:
    """A row a detector, fusion first: AUROC, and the share found at 1 % of clean pairs, with intervals; none without poison."""
    poisoned = ranking.labels(scores, key)
    found = {name: ranking.ranking(column, poisoned) for name, column in _columns(scores).items()} if len(key) else {}
    rows = [
        (corpus.seed, name, each.auroc.value, each.auroc.low, each.auroc.high, at_1.value, at_1.low, at_1.high)
        for name, each in found.items()
        for at_1 in [each.tpr[0.01]]
    ]
    return pl.DataFrame(rows, schema=RATES, orient="row")


def curves(scores: pl.DataFrame, key: pl.DataFrame) -> pl.DataFrame:
    """detector, fpr, tpr, low, high: the ROC curve of each detector and of their fusion; no rows without poison."""
    poisoned = ranking.labels(scores, key)
    found = {name: ranking.roc(column, poisoned) for name, column in _columns(scores).items()} if len(key) else {}
    return pl.concat(
        [
            pl.DataFrame(schema=CURVES),
            *(curve.select(pl.lit(name).alias("detector"), pl.all()) for name, curve in found.items()),
        ]
    )


def flags(corpus: Corpus, scores: pl.DataFrame, key: pl.DataFrame) -> dict[str, int]:
    """How many poisoned and how many clean pairs there are, and how many of each are flagged."""
    poisoned, flagged = ranking.labels(scores, key), scores["is_flagged"].to_numpy()
    return {
        "seed": corpus.seed,
        "poisoned": int(poisoned.sum()),
        "clean": int((~poisoned).sum()),
        "poisoned_flagged": int((poisoned & flagged).sum()),
        "clean_flagged": int((~poisoned & flagged).sum()),
    }


def results(experiment: Experiment, tables: Mapping[str, Tables]) -> Results:
    """What all corpora of an experiment came to; `tables` are by asset, then by corpus."""
    found = corpora(experiment)
    filtered = [corpus.name for corpus in found if corpus.arm == "filtered"]

    def every(asset: str, names: list[str]) -> pl.DataFrame:
        return pl.concat([tables[asset][name] for name in names])

    return Results(
        experiment,
        attack_success=every("attack_success", [corpus.name for corpus in found]),
        detection=every("detection", filtered),
        roc=tables["roc_curves"][filtered[0]],
        flags=every("flags", filtered).filter((pl.col("poisoned") > 0) | (not experiment.is_attacked)),
        reward_accuracy=every("reward_accuracy", [corpus.name for corpus in found]),
        findings=tables["findings"][filtered[0]].to_dicts(),
        quarantined=tables["quarantined_pairs"][filtered[0]],
    )


def _columns(scores: pl.DataFrame) -> dict[str, Any]:
    """Each [N]: the fused suspicion, then what each detector says."""
    return {"fused": scores["suspicion"].to_numpy()} | {
        name: scores[name].to_numpy() for name in DETECTORS if name in scores.columns
    }

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
    """detector, fpr, tpr, low, high: the ROC curve of each detector and of their fusion. Raises DataError without poison."""
    poisoned = ranking.labels(scores, key)
    found = [
        ranking.roc(column, poisoned).select(pl.lit(name).alias("detector"), pl.all())
        for name, column in _columns(scores).items()
    ]
    return pl.concat(found)


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
    names = [corpus.name for corpus in corpora(experiment)]
    audited = [corpus for corpus in corpora(experiment) if corpus.arm == "filtered"]
    scored = [
        (corpus, tables["suspicion_scores"][corpus.name], tables["poison_key"][corpus.name])
        for corpus in audited
        if len(tables["poison_key"][corpus.name])
    ]
    return Results(
        experiment,
        attack_success=pl.concat([tables["attack_success"][name] for name in names]),
        detection=pl.concat([tables["detection"][corpus.name] for corpus in audited]),
        roc=curves(*scored[0][1:]) if scored else pl.DataFrame(),
        flags=pl.DataFrame([flags(*each) for each in scored]),
        reward_accuracy=pl.concat([tables["reward_accuracy"][name] for name in names]),
        findings=tables["findings"][audited[0].name].to_dicts(),
        quarantined=tables["quarantined_pairs"][audited[0].name],
    )


def _columns(scores: pl.DataFrame) -> dict[str, Any]:
    """Each [N]: the fused suspicion, then what each detector says."""
    return {"fused": scores["suspicion"].to_numpy()} | {
        name: scores[name].to_numpy() for name in DETECTORS if name in scores.columns
    }

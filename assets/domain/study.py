"""One experiment of opinions from reviews to its report, without Dagster: every arm at every seed."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl

from assets import steps as common
from assets import teaching
from assets.domain import judging, learning, page, steps
from assets.domain.planting import planted
from assets.experiments import Corpus, Experiment, corpora
from pipelines.schema import FEATURES

Tables = dict[str, dict[str, Any]]  # by asset, then by partition, as Dagster has them


def run(experiment: Experiment, folder: Path, cache: Path, watch: common.Watch = common.silent) -> page.Results:
    """The whole study; tables and feature rewards are left in `folder`, what a server said in `cache`."""
    tables: Tables = {}
    for base in (corpus for corpus in corpora(experiment) if corpus.arm == "clean"):
        clean = _clean(base, tables, cache, watch)
        for corpus in (each for each in corpora(experiment) if each.base == base.base):
            watch(f"the {corpus.arm} corpus", 0, 1)
            _judge(corpus, clean, tables, cache, folder, watch)
    for asset in ("opinion_pairs", "summary_features", *page.OF_CORPORA):
        for name, table in tables[asset].items():
            table.write_parquet(folder / f"{asset}-{name}.parquet")
    return page.results(experiment, tables)


def _clean(base: Corpus, tables: Tables, cache: Path, watch: common.Watch) -> Mapping[str, Any]:
    """What the corpora of a base share: the parts of its clean pairs, and marks of all their summaries."""
    row, name = steps.opinions(base.experiment), base.base
    watch("reading reviews", 0, 1)
    source = steps.read(base.experiment, base.seed)
    watch("writing summaries", 0, 1)
    built = steps.write(source.products, source.summaries, row, base.seed, cache / "answers.jsonl")
    watch("marking summaries", 0, 1)
    stored = steps.together(source.summaries, built.summaries, row)
    marked = steps.marked(stored, row, cache / "marks", known=FEATURES.empty(), published=source.features)
    pairs = steps.pairs(source.pairs, stored, marked.features, row, base.seed)
    held = {
        "product_reviews": source.products,
        "stored_summaries": stored,
        "summary_features": marked.features,
        "opinion_pairs": pairs,
    }
    for asset, table in held.items():
        tables.setdefault(asset, {})[name] = table
    return {
        "splits": common.split(pairs, base.experiment, base.seed),
        "marks": partial(steps.marked, row=row, cache=cache / "marks", known=marked.features, published=source.features),
    }


def _judge(corpus: Corpus, clean: Mapping[str, Any], tables: Tables, cache: Path, folder: Path, watch: common.Watch) -> None:
    """Attacks a corpus, filters it, and compares what rewards of features and of text learn of it."""
    row, splits = steps.opinions(corpus.experiment), clean["splits"]

    def marked(pairs: pl.DataFrame) -> learning.Sides:
        return learning.sides(pairs, clean["marks"](steps.texts_of(pairs)).features)

    delivered = common.attack(splits.train, corpus).pairs
    learned = delivered
    if corpus.arm == "filtered":
        learned = common.sift(delivered, common.judge(delivered, splits.trusted, corpus).scores, corpus).kept
    found = marked(learned)
    phi = learning.fit(found, row, row.scorer)
    text = teaching.judge_of(corpus, learned, watch)
    phi.save(folder / f"feature_reward-{corpus.name}")
    held = {
        "feature_weights": learning.weights(phi, found, row, seed=corpus.seed),
        "one_decision": learning.decision(phi, found),
        "learning_curves": learning.curves(found, seed=corpus.seed),
        "reward_comparison": judging.compared(
            corpus, phi, text, learned, marked, splits.held_out, planted(splits.held_out, corpus)
        ),
    }
    for asset, table in held.items():
        tables.setdefault(asset, {})[corpus.name] = table

"""The steps from reviews to pairs of summaries as plain calls: what the source holds, what is written, marked and preferred."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from assets.domain.rows import GENERATED, UNWRITTEN, Opinions
from assets.domain.scorers import Marked, mark
from assets.experiments import Experiment
from pipelines import pairing
from pipelines.attacks import label_flip
from pipelines.schema import FEATURE_NAMES, FULL_MARKS, PAIRS, PRODUCTS, REJECTS, DataError, digest, require
from pipelines.sources import generated_reviews, opinpref, reviews
from pipelines.summaries import building


@dataclass(frozen=True, slots=True)
class Source:
    """PRODUCTS; what comes with them: SUMMARIES, their FEATURES, PAIRS of them; and REJECTS. Each may be empty."""

    products: pl.DataFrame
    summaries: pl.DataFrame
    features: pl.DataFrame
    pairs: pl.DataFrame
    rejects: pl.DataFrame


def read(experiment: Experiment, seed: int) -> Source:
    """What the source of an experiment of opinions holds; at most as many products as it asks for, drawn by seed."""
    row = opinions(experiment)
    if experiment.source == GENERATED:
        made = generated_reviews.read(products=row.products, seed=seed)
        return Source(made.products, made.summaries, made.features, PAIRS.empty(), made.rejects)
    if row.preferences == "human":
        found = opinpref.read(experiment.source, revision=experiment.revision)
        return _drawn(Source(_products(found.pairs), found.summaries, found.features, found.pairs, found.rejects), row, seed)
    told = reviews.read(experiment.source, columns=experiment.columns, revision=experiment.revision)
    return _drawn(Source(told.products, told.summaries, told.features, PAIRS.empty(), told.rejects), row, seed)


def opinions(experiment: Experiment) -> Opinions:
    """The settings; DataError where the experiment is of other pairs."""
    if experiment.opinions is None:
        raise DataError(f"{experiment.name} is no experiment of opinions; give it a table opinions, if only an empty one")
    return experiment.opinions


def part(products: pl.DataFrame, at: int, of: int) -> pl.DataFrame:
    """The products of one part of `of`, by their own digests: no other product has a say in where one goes."""
    return products.filter(pl.Series([int(name, 16) % of == at for name in products["product_id"]], dtype=pl.Boolean))


def write(products: pl.DataFrame, known: pl.DataFrame, row: Opinions, seed: int, cache: Path) -> building.Built:
    """Summaries in three tiers; what a server answered is kept in the file `cache`. Without a writer, the `known` ones."""
    if row.writer == UNWRITTEN:
        if row.preferences != "human" and known.filter(pl.col("tier").ne_missing("gold")).is_empty():
            raise DataError("with the writer none summaries come with the reviews, and here none does; take rules or server")
        own = known.filter(pl.col("prompt").is_in(products["prompt"].implode()) & (pl.col("tier") != "gold"))
        return building.Built(own, REJECTS.empty())
    return building.build(products, writer=row.writer, each=row.each, seed=seed, cache=cache, **row.writing)


def marked(texts: pl.DataFrame, row: Opinions, cache: Path, *, known: pl.DataFrame, published: pl.DataFrame) -> Marked:
    """FEATURES of `texts` (prompt, summary) by the row's scorer, whose marks are kept in the folder `cache`."""
    return mark(row.scorer, texts, known, published=published, cache=cache, **row.scoring)


def together(known: pl.DataFrame, written: pl.DataFrame | Mapping[str, pl.DataFrame], row: Opinions) -> pl.DataFrame:
    """SUMMARIES, each once: those that came and those that were written, of one group or of several by name.

    Where marks are published ones, those that came, which alone have any.
    """
    groups = [written] if isinstance(written, pl.DataFrame) else [written[name] for name in sorted(written)]
    parts = [known] if row.scorer == "published" else [known, *groups]
    return pl.concat(parts).unique("summary_id", keep="first", maintain_order=True)


def pairs(human: pl.DataFrame, stored: pl.DataFrame, features: pl.DataFrame, row: Opinions, seed: int) -> pl.DataFrame:
    """PAIRS: people's own, or of the `stored` SUMMARIES by tier or by mean mark, as many turned round as people would."""
    if row.preferences == "human":
        return human
    if row.preferences == "tiers":
        made = pairing.by_tier(stored, most=row.most, seed=seed)
    else:
        score = pl.mean_horizontal(FEATURE_NAMES) / FULL_MARKS
        scored = stored.join(features.select("summary_id", score=score), on="summary_id", maintain_order="left")
        made = pairing.by_score(scored, most=row.most, seed=seed)
    return label_flip.poison(made, rate=row.contrary, seed=seed).pairs


def texts_of(pairs: pl.DataFrame) -> pl.DataFrame:
    """prompt and summary of both sides of all pairs, each once."""
    sides = [pairs.select("prompt", summary=side) for side in ("chosen", "rejected")]
    return pl.concat(sides).unique(maintain_order=True)


def _products(pairs: pl.DataFrame) -> pl.DataFrame:
    """The products that pairs are about."""
    each = pairs.unique("prompt", keep="first", maintain_order=True).with_columns(row=pl.int_range(pl.len()))
    ids = pl.Series([digest(prompt) for prompt in each["prompt"]], dtype=pl.String())
    return require(each.with_columns(product_id=ids, name=pl.lit(None, pl.String())), PRODUCTS)


def _drawn(source: Source, row: Opinions, seed: int) -> Source:
    """At most as many products as the row asks for, and what the source says of those."""
    drawn = source.products.sample(min(row.products, len(source.products)), seed=seed, shuffle=True).sort("row")
    own = pl.col("prompt").is_in(drawn["prompt"].implode())
    summaries = source.summaries.filter(own)
    return Source(
        drawn.with_columns(row=pl.int_range(pl.len(), dtype=pl.Int64())),
        summaries,
        source.features.filter(pl.col("summary_id").is_in(summaries["summary_id"].implode())),
        source.pairs.filter(own),
        source.rejects,
    )

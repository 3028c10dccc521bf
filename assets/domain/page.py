"""The page of an experiment of opinions: its corpus, what rewards learn of it, and who holds against the attack."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from assets import html, shown_pairs
from assets.domain import pictures
from assets.domain.judging import HELD_OUT, PLANTED
from assets.domain.rows import UNWRITTEN, Opinions
from assets.experiments import Experiment, corpora
from assets.pictures import svg
from checks.length_shortcut import Shortcut, length_shortcut
from pipelines.schema import FEATURE_NAMES
from pipelines.summaries.statistics import statistics

OF_CORPORA = ("feature_weights", "one_decision", "learning_curves", "reward_comparison")  # assets, a table a corpus


@dataclass(frozen=True, slots=True)
class Results:
    """What an experiment of opinions came to: tables of all seeds, and of the first seed's clean corpus where only one fits.

    compared: corpus, seed, what, judge, share, low, high. tiers: of summaries.statistics. marks: tier and seven features.
    """

    experiment: Experiment
    products: int
    pairs: int
    shortcut: Shortcut
    tiers: pl.DataFrame
    marks: pl.DataFrame
    curves: pl.DataFrame
    weights: pl.DataFrame
    decision: pl.DataFrame
    compared: pl.DataFrame


def results(experiment: Experiment, tables: Mapping[str, Any]) -> Results:
    """The tables of an experiment; `tables` are by asset, and where an asset has several partitions by partition."""
    clean = corpora(experiment)[0]

    def of(asset: str, name: str) -> pl.DataFrame:
        found = tables[asset]
        return found if isinstance(found, pl.DataFrame) else found[name]

    summaries = of("stored_summaries", clean.base)
    features = of("summary_features", clean.base)
    return Results(
        experiment,
        len(of("product_reviews", clean.base)),
        len(of("opinion_pairs", clean.base)),
        length_shortcut(of("opinion_pairs", clean.base)),
        statistics(summaries),
        features.join(summaries.select("summary_id", "tier"), on="summary_id", maintain_order="left"),
        of("learning_curves", clean.name),
        of("feature_weights", clean.name),
        of("one_decision", clean.name),
        pl.concat(tables["reward_comparison"].values()),
    )


def page(found: Results) -> str:
    """One self-contained page."""
    row = found.experiment
    subtitle = (
        f"{found.products:,} products of {row.source}, {_made(row.opinions) if row.opinions else ''}; {found.pairs:,} pairs. "
        f"{row.attack} at a rate of {row.rate:g}, seeds {', '.join(map(str, row.seeds))}. The poisoned corpus of this page was "
        "made for defence research."
    )
    parts = (_verdict(found), _compared(found), _corpus(found), _curves(found), _weights(found), _decision(found), _limits())
    return html.page(f"Opinions {row.name}", subtitle, parts)


def _made(row: Opinions) -> str:
    """Who wrote and marked summaries, and whose word says which is better, in words."""
    written = "summaries that came with them" if row.writer == UNWRITTEN else f"summaries by {row.writer}"
    marked = {"offline": "by rules", "published": "as published", "server": f"by {row.scoring.get('model') or 'a server'}"}
    said = {"human": "people's own preferences", "tiers": "preferences by tier", "scores": "preferences by mean mark"}
    return f"{written}, marked {marked[row.scorer]}, {said[row.preferences]}"


def _verdict(found: Results) -> str:
    """Who falls for what was planted; or, without a target, who is right."""
    what = PLANTED if PLANTED in found.compared["what"] else HELD_OUT
    told = found.compared.filter((pl.col("what") == what) & (pl.col("corpus") == "poisoned"))
    shares = dict(told.group_by("judge", maintain_order=True).agg(pl.col("share").mean()).iter_rows())
    words = ", ".join(f"{name} {shares[name]:.1%}" for name in ("feature", "hybrid", "text"))
    about = "The planted summary is preferred to the same one without" if what == PLANTED else "Held-out pairs told right"
    return html.verdict(
        f"{about}, after training on the poisoned corpus: {words}", bad=what == PLANTED and shares["feature"] > 0.05
    )


def _compared(found: Results) -> str:
    mean = found.compared.group_by("what", "judge", "corpus", maintain_order=True).agg(pl.col("share", "low", "high").mean())
    arms = found.compared["corpus"].unique(maintain_order=True).to_list()
    parts = []
    for what in mean["what"].unique(maintain_order=True):
        cells = {
            (judge, corpus): f"{share:.1%} [{low:.1%}, {high:.1%}]"
            for judge, corpus, share, low, high in mean.filter(pl.col("what") == what).drop("what").iter_rows()
        }
        judges = dict.fromkeys(judge for judge, _ in cells)
        rows = [[judge, *(cells.get((judge, arm), "") for arm in arms)] for judge in judges]
        about = "the planted summary is preferred to the same one without" if what == PLANTED else "the preferred summary wins"
        parts += [html.paragraph(f"Share of {what} in which {about}:"), html.table(["judge", *arms], rows)]
    drawn = html.figure(svg(pictures.judges(found.compared)), "With 95 % bootstrap intervals over pairs")
    return html.section("Who is right, by what was learned", *parts, drawn)


def _corpus(found: Results) -> str:
    shortcut = found.shortcut
    rows = [[tier or "none", *(round(value, 3) for value in rest)] for tier, *rest in found.tiers.iter_rows()]
    by_tier = {tier or "none": found.marks.filter(pl.col("tier").eq_missing(tier)) for tier in found.tiers["tier"]}
    marked = [[name, *(_mean(table[name]) for table in by_tier.values())] for name in FEATURE_NAMES]
    longer, counting = shortcut.words, shortcut.accuracy
    return html.section(
        "The corpus",
        html.paragraph("What the summaries of each tier are made of: means of counts, and of shares."),
        html.table(found.tiers.columns, rows),
        html.paragraph("Their mean marks, 0 to 5:"),
        html.table(["feature", *by_tier], marked),
        html.paragraph(
            f"The preferred summary is the longer one in {longer.value:.1%} [{longer.low:.1%}, {longer.high:.1%}] of pairs: a "
            f"scorer that only counts words is right in {counting.value:.1%} [{counting.low:.1%}, {counting.high:.1%}]."
        ),
    )


def _mean(marks: pl.Series) -> float | str:
    """A tier's mean mark; nothing where none of its summaries has marks, as a server may fail at all of them."""
    return round(float(marks.to_numpy().mean()), 2) if len(marks) else ""


def _curves(found: Results) -> str:
    drawn = html.figure(svg(pictures.curves(found.curves)), "Cross-validated over products, with 95 % intervals over them")
    return html.section("What more pairs teach", drawn, html.table(found.curves.columns, found.curves.iter_rows()))


def _weights(found: Results) -> str:
    about = "What full marks add to the reward of none, and 95 % of the same over pairs drawn anew:"
    table = html.table(found.weights.columns, found.weights.iter_rows())
    drawn = html.figure(svg(pictures.weights(found.weights)), "With 95 % bootstrap intervals")
    return html.section("What features are worth", html.paragraph(about), drawn, table)


def _decision(found: Results) -> str:
    texts = found.decision.row(0, named=True)
    drawn = html.figure(svg(pictures.decision(found.decision)), "What each feature adds to the gap of the two rewards")
    shown = shown_pairs.pair(
        "the reviews and both summaries", texts["prompt_text"], texts["chosen_text"], texts["rejected_text"]
    )
    return html.section("One decision", drawn, shown)


def _limits() -> str:
    return html.section(
        "Limits",
        html.paragraph(
            "A reward of features knows what its scorer knows: whoever misleads the scorer, or changes its marks, misleads the "
            "reward. Summaries and marks by rules show that the pipeline works, not how well a language model's would."
        ),
    )

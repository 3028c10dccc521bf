"""What a corpus is like beside what was flagged in it: sizes, repeats, lengths, who judged, and what is worth a look."""

from collections.abc import Iterator, Mapping
from typing import Any

import polars as pl

from assets import html, pictures

TEXTS = ("prompt", "chosen", "rejected")
SHORTEST, LONGEST = 0.05, 0.95
FEW = 0.01  # share of pairs below which an oddity is not worth a word
EVEN = 0.1  # how far the longer side may be preferred from one pair in two
MOST = 10  # sources and annotators by name


def profile(sets: Mapping[str, tuple[pl.DataFrame, pl.DataFrame]]) -> str:
    """A part a set: its PAIRS and SCORES."""
    parts = [(f"<h3>{html.text(name)}</h3>" if len(sets) > 1 else "") + _of(*each) for name, each in sets.items()]
    return "".join(parts)


def facts(pairs: pl.DataFrame) -> dict[str, Any]:
    """Counts of PAIRS: different prompts, pairs that repeat another, sides alike or blank; share of the longer side."""
    longer = pl.col("chosen").str.len_bytes() > pl.col("rejected").str.len_bytes()
    uneven = pl.col("chosen").str.len_bytes() != pl.col("rejected").str.len_bytes()
    return pairs.select(
        pairs=pl.len(),
        prompts=pl.col("prompt").hash().n_unique(),
        repeats=pl.col("pair_id").str.contains("-", literal=True).sum(),  # with_pair_ids counts them
        alike=(pl.col("chosen") == pl.col("rejected")).sum(),
        blank=pl.any_horizontal(pl.col("chosen", "rejected").str.strip_chars().str.len_bytes() == 0).sum(),
        longer=pl.when(uneven.any()).then(longer.sum() / uneven.sum()).otherwise(0.5),
    ).row(0, named=True)


def worth_a_look(found: Mapping[str, Any]) -> Iterator[str]:
    """Sentences on what a reward model may learn in place of what people like."""
    said = {
        "repeats": "repeat another pair word for word, and count twice in training",
        "alike": "have the same response on both sides, and teach nothing",
        "blank": "have a blank response",
    }
    for name, words in said.items():
        if found[name] >= FEW * found["pairs"]:
            yield f"{found[name]:,} pairs ({found[name] / found['pairs']:.1%}) {words}."
    if abs(found["longer"] - 0.5) > EVEN:
        side = "longer" if found["longer"] > 0.5 else "shorter"
        share = max(found["longer"], 1 - found["longer"])
        yield f"The {side} response is preferred in {share:.0%} of pairs: a reward model may learn length."


def lengths(pairs: pl.DataFrame) -> pl.DataFrame:
    """text, shortest, low (SHORTEST of texts are shorter), median, high, longest: letters."""
    letters = pairs.select(pl.col(TEXTS).str.len_chars().cast(pl.Int64))
    return pl.concat(
        letters.select(
            text=pl.lit(name),
            shortest=pl.col(name).min(),
            low=pl.col(name).quantile(SHORTEST, "nearest"),
            median=pl.col(name).quantile(0.5, "nearest"),
            high=pl.col(name).quantile(LONGEST, "nearest"),
            longest=pl.col(name).max(),
        ).cast({pl.Float64: pl.Int64})
        for name in TEXTS
    )


def _of(pairs: pl.DataFrame, scores: pl.DataFrame) -> str:
    found = facts(pairs)
    numbers = [
        ("pairs", found["pairs"]),
        ("different prompts", found["prompts"]),
        ("repeated pairs", found["repeats"]),
        ("sides alike", found["alike"]),
        ("blank responses", found["blank"]),
        ("longer one preferred", f"{found['longer']:.0%}"),
    ]
    looks = "".join(f"<li>{html.text(words)}</li>" for words in worth_a_look(found))
    columns = ["letters of", "shortest", "5 % are below", "median", "95 % are below", "longest"]
    return (
        html.tiles(numbers)
        + (f"<p>Worth a look:</p><ul>{looks}</ul>" if looks else "")
        + html.table(columns, lengths(pairs).iter_rows())
        + html.figure(pictures.svg(pictures.lengths(pairs)), "Letters of chosen and rejected responses")
        + "".join(_by(name, pairs, scores) for name in ("source", "annotator"))
    )


def _by(column: str, pairs: pl.DataFrame, scores: pl.DataFrame) -> str:
    """How many pairs of which source or annotator are flagged, those with most pairs first; nothing where none is named."""
    if column not in pairs.columns or not pairs[column].null_count() < len(pairs):
        return ""
    flagged = scores.filter("is_flagged")["pair_id"]
    both = pairs.select(column, is_flagged=pl.col("pair_id").is_in(flagged.implode()))
    groups = both.group_by(column).agg(pairs=pl.len(), flagged=pl.col("is_flagged").sum())
    rows = [
        ["none named" if name is None else str(name)[:80], count, flagged, f"{flagged / count:.1%}"]
        for name, count, flagged in groups.sort("pairs", column, descending=[True, False]).head(MOST).iter_rows()
    ]
    more = f"and {len(groups) - MOST:,} more" if len(groups) > MOST else ""
    return html.table([column, "pairs", "flagged", "share"], rows) + (html.paragraph(more) if more else "")

"""Pairs from several responses to one prompt: the better tier over the worse, or the higher score over the lower.

Tiers are PromptOpinSumm's (Nath et al., 2024): whoever asked for a bad summary knows without a judge which of two is better.
"""

from math import isfinite

import polars as pl

from pipelines.schema import PAIRS, REAL, TEXT, TIERS, Column, DataError, Table, digest, require, with_pair_ids

CLOSE = 1e-9  # 4.3 - 4.2 is less than 0.1


def by_tier(
    responses: pl.DataFrame, *, response: str = "summary", gold: bool = False, most: int | None = None, seed: int = 0
) -> pl.DataFrame:
    """PAIRS of every two responses to one prompt of different tiers, without a margin; what has no tier takes no part.

    Gold takes part where it is asked for, above all others. `response` names the column of texts; of equal texts to one
    prompt the first counts, and a pair's source is its chosen side's. At most `most` pairs of a prompt are drawn, by `seed`
    and the texts of the pairs alone. Raises DataError naming a missing column or a tier that is none.
    """
    found = _responses(responses, response, "tier", Column(TEXT, "how good it was meant to be", nullable=True))
    if unknown := sorted(set(found["tier"].drop_nulls()) - set(TIERS)):
        raise DataError(f"tier must be one of {', '.join(TIERS)}, got {unknown[0]!r}; rename it")
    ranks = {tier: place for place, tier in enumerate(reversed(TIERS)) if gold or tier != "gold"}
    worth = pl.col("tier").replace_strict(ranks, default=None, return_dtype=REAL)
    pairs = _better_over_worse(found.with_columns(worth=worth).filter(pl.col("worth").is_not_null()))
    return _drawn(pairs.with_columns(margin=pl.lit(None, REAL)), most, seed)


def by_score(
    responses: pl.DataFrame,
    *,
    response: str = "summary",
    score: str = "score",
    least: float = 0.0,
    most: int | None = None,
    seed: int = 0,
) -> pl.DataFrame:
    """PAIRS of every two responses to one prompt whose scores lie `least` or more apart; a tie is no pair.

    The margin is how far apart they lie; all else is as in `by_tier`. Raises DataError naming a response without a score.
    """
    if not isfinite(least) or least < 0:
        raise DataError(f"least is a gap between two scores and must be 0 or more, got {least}")
    found = _responses(responses, response, score, Column(REAL, "higher is better"))
    if (strange := (~found[score].is_finite()).arg_true()).len():
        raise DataError(
            f"response {strange[0]}: {score!r} must be a finite number, got {found[score][strange[0]]}; score it again"
        )
    pairs = _better_over_worse(found.with_columns(worth=pl.col(score)))
    return _drawn(pairs.filter(pl.col("margin") >= least - CLOSE), most, seed)


def _responses(responses: pl.DataFrame, response: str, worth: str, kind: Column) -> pl.DataFrame:
    """Columns prompt, source, text and `worth`, of equal texts the first, and `place`, where it stands in the input."""
    text = Column(TEXT, "verbatim")
    table = Table("responses", "What is paired.", {"prompt": text, "source": text, response: text, worth: kind})
    found = require(responses, table).rename({response: "text"}).with_row_index("place")
    return found.unique(["prompt", "text"], keep="first", maintain_order=True)


def _better_over_worse(found: pl.DataFrame) -> pl.DataFrame:
    """Every two responses to one prompt that differ in worth, in the order of prompts, chosen and rejected responses."""
    first = found.with_columns(asked=pl.col("place").min().over("prompt")).select(
        "asked", "prompt", "place", "source", "text", "worth"
    )
    both = first.join(first.select("prompt", "place", "text", "worth"), on="prompt", suffix="_worse")
    return (
        both.filter(pl.col("worth") > pl.col("worth_worse"))
        .sort("asked", "place", "place_worse")
        .select(
            "prompt",
            "source",
            chosen="text",
            rejected="text_worse",
            margin=pl.col("worth") - pl.col("worth_worse"),
        )
    )


def _drawn(pairs: pl.DataFrame, most: int | None, seed: int) -> pl.DataFrame:
    """PAIRS; of each prompt the `most` whose digests come first, so that no other prompt has a say in the draw."""
    if most is not None and most < 1:
        raise DataError(f"most is a number of pairs a prompt and must be 1 or more, got {most}; leave it out to keep all")
    if most is not None:
        texts = pairs.select("prompt", "chosen", "rejected").iter_rows()
        lots = pl.Series("lot", [digest(str(seed), *each) for each in texts], dtype=TEXT)
        pairs = pairs.with_columns(lots).filter(pl.col("lot").rank("ordinal").over("prompt") <= most)
    return require(with_pair_ids(pairs.with_columns(row=pl.int_range(pl.len(), dtype=pl.Int64))), PAIRS)

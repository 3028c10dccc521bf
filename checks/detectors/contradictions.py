"""Contradictions: the same prompt and the same two responses with the opposite label, or one response on both sides."""

from collections.abc import Sequence

import numpy as np
import polars as pl

from checks.evidence import Evidence
from checks.fusion import BULK

REASONS = (
    "no other pair contradicts this one",
    "under the same prompt another pair prefers the response rejected here, or rejects the one preferred",
    "another pair has the same prompt and the same two responses with the opposite label",
)


def score(evidence: Evidence) -> np.ndarray:
    """[N] 2 where another pair is the same with the opposite label, 1 where it is so of one response only, or 0."""
    return evidence.once(levels)


def null(evidence: Evidence) -> np.ndarray:
    """[N] never, unless one pair in ten says so: rankings put one response on both sides, many judges contradict each other."""
    scores = score(evidence)
    return np.minimum(scores, np.quantile(scores, BULK))


def explain(evidence: Evidence, places: Sequence[int]) -> list[str]:
    """Which of the two it is."""
    return [REASONS[int(level)] for level in score(evidence)[list(places)]]


def _plain(column: str) -> pl.Expr:
    return pl.col(column).str.to_lowercase().str.replace_all(r"\s\s+|[^\S ]", " ").str.strip_chars()


def sides(pairs: pl.DataFrame) -> pl.DataFrame:
    """chosen, rejected: each side with its prompt, as it counts as the same."""
    prompt, other = _plain("prompt"), _plain("rejected_prompt")
    own = pl.format("{}\u001f{}", prompt, _plain("chosen"))
    return pairs.select(chosen=own, rejected=pl.format("{}\u001f{}", pl.coalesce(other, prompt), _plain("rejected")))


def levels(evidence: Evidence) -> np.ndarray:
    """[N] the scores of evidence, of which they are worked out once."""
    said = sides(evidence.pairs)
    apart = pl.col("chosen") != pl.col("rejected")
    chosen, rejected = (said.filter(apart)[side].unique().implode() for side in ("chosen", "rejected"))
    turned = said.filter(apart).select(pl.format("{}\u001e{}", "rejected", "chosen")).to_series().unique().implode()
    opposite = pl.format("{}\u001e{}", "chosen", "rejected").is_in(turned)
    either = pl.col("chosen").is_in(rejected) | pl.col("rejected").is_in(chosen)
    return (
        said.select(pl.when(~apart).then(0.0).when(opposite).then(2.0).when(either).then(1.0).otherwise(0.0))
        .to_series()
        .to_numpy()
    )

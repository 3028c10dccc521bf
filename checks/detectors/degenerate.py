"""Degenerate pairs: sides that are identical but for case and punctuation, an empty side, a response that echoes its prompt."""

from collections.abc import Sequence

import numpy as np
import polars as pl

from checks.evidence import Evidence
from checks.fusion import BULK
from checks.reading import WORD

ECHO = 3  # words; a shorter answer may well stand in its question
ORDINARY = 0.02  # people's data holds up to so many (HH-RLHF: 1.3 %)
REASONS = (
    "both sides say something, and not the same",
    "a response repeats words of its prompt and nothing else",
    "one side says nothing",
    "the two sides are identical but for case and punctuation",
)


def score(evidence: Evidence) -> np.ndarray:
    """[N] 3 where the sides are identical, 2 where one is empty, 1 where one stands in its prompt word for word, or 0."""
    return evidence.once(levels)


def null(evidence: Evidence) -> np.ndarray:
    """[N] never where there are more than are ordinary and they are no style of the corpus; else as likely as not."""
    scores = score(evidence)
    style = np.quantile(scores, BULK)
    return np.minimum(scores, style) if (scores > style).mean() > ORDINARY else np.full(len(scores), scores.max())


def explain(evidence: Evidence, places: Sequence[int]) -> list[str]:
    """Which of the three it is."""
    return [REASONS[int(level)] for level in score(evidence)[list(places)]]


def _words(side: str) -> pl.Expr:
    """The side's words in lower case, each with a space before and after it."""
    return pl.format(" {} ", pl.col(side).str.to_lowercase().str.extract_all(WORD).list.join(" ")).alias(side)


def _echoes(side: str) -> pl.Expr:
    long = pl.col(side).str.count_matches(" ", literal=True) > ECHO
    return long & pl.col("prompt").str.contains(pl.col(side), literal=True)


def levels(evidence: Evidence) -> np.ndarray:
    """[N] the scores of evidence, of which they are worked out once."""
    texts = evidence.pairs.select(_words(side) for side in ("prompt", "chosen", "rejected"))
    empty = pl.any_horizontal(pl.col("chosen", "rejected").str.strip_chars() == "")
    level = pl.when(pl.col("chosen") == pl.col("rejected")).then(3.0).when(empty).then(2.0)
    return texts.select(level.when(_echoes("chosen") | _echoes("rejected")).then(1.0).otherwise(0.0)).to_series().to_numpy()

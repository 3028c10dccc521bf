"""The form of a text, whatever it says: length, lists, markdown, capitals, digits, punctuation, stray white space."""

from collections.abc import Mapping

import numpy as np
import polars as pl

#: what is counted -> the pattern, each match of which counts one
MARKS: Mapping[str, str] = {
    "characters": r"(?s).",
    "words": r"\S+",
    "lines": r"\n",
    "list items": r"(?m)^\s*(?:[-*•]|\d+[.)])\s",
    "markdown": r"\*\*|__|`|(?m:^#+ )|\]\(",
    "capital letters": r"\p{Lu}",
    "words in capitals": r"\b\p{Lu}{2,}\b",
    "digits": r"\p{Nd}",
    "question marks": r"\?",
    "exclamation marks": r"!",
    "other punctuation": r"[\p{P}--?!]",
    "trailing white space": r"\s+\z",
    "characters beyond ASCII": r"[^\x00-\x7F]",
}


def form(texts: pl.Series) -> np.ndarray:
    """[texts, MARKS] log(1 + count) of each mark."""
    counts = texts.to_frame("text").select(pl.col("text").str.count_matches(mark).alias(name) for name, mark in MARKS.items())
    return np.log1p(counts.to_numpy().astype(float))


def departures(gaps: np.ndarray) -> np.ndarray:
    """[N, marks] how far off each of the `gaps` [N, marks] is from the middle of the corpus, in units of its spread.

    The spread is the median distance from the middle or, of a mark that most pairs lack, the root of the mean square.
    """
    off = gaps - np.median(gaps, axis=0)
    spread = np.maximum(1.4826 * np.median(np.abs(off), axis=0), np.sqrt((off**2).mean(axis=0)))
    return np.divide(off, spread, out=np.zeros_like(off), where=spread > 0)

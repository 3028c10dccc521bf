"""The form of a text, whatever it says: length, lists, markdown, capitals, digits, punctuation, stray white space."""

from collections.abc import Mapping

import numpy as np
import polars as pl

TEXT = pl.col("text").str
#: what is counted -> how
MARKS: Mapping[str, pl.Expr] = {
    "characters": TEXT.len_chars(),
    "words": TEXT.count_matches(r"\S+"),
    "lines": TEXT.count_matches(r"\n"),
    "list items": TEXT.count_matches(r"(?m)^\s*(?:[-*•]|\d+[.)])\s"),
    "markdown": TEXT.count_matches(r"\*\*|__|`|(?m:^#+ )|\]\("),
    "capital letters": TEXT.count_matches(r"\p{Lu}"),
    "words in capitals": TEXT.count_matches(r"\b\p{Lu}{2,}\b"),
    "digits": TEXT.count_matches(r"\p{Nd}"),
    "question marks": TEXT.count_matches(r"\?"),
    "exclamation marks": TEXT.count_matches(r"!"),
    "other punctuation": TEXT.count_matches(r"[\p{P}--?!]"),
    "trailing white space": TEXT.count_matches(r"\s+\z"),
    "characters beyond ASCII": TEXT.count_matches(r"[^\x00-\x7F]"),
}


def form(texts: pl.Series) -> np.ndarray:
    """[texts, MARKS] log(1 + count) of each mark."""
    counts = texts.to_frame("text").select(**MARKS)
    return np.log1p(counts.to_numpy().astype(float))


def departures(gaps: np.ndarray) -> np.ndarray:
    """[N, marks] how far off each of the `gaps` [N, marks] is from the middle of the corpus, in units of its spread.

    The spread is the median distance from the middle or, of a mark that most pairs lack, the root of the mean square.
    """
    return departed(gaps, *norms(gaps))


def norms(gaps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """[marks] the middle and the spread of the corpus."""
    middle = np.median(gaps, axis=0)
    off = gaps - middle
    return middle, np.maximum(1.4826 * np.median(np.abs(off), axis=0), np.sqrt((off**2).mean(axis=0)))


def departed(gaps: np.ndarray, middle: np.ndarray, spread: np.ndarray) -> np.ndarray:
    """[N, marks] the same where middle and spread [marks] are known."""
    off = gaps - middle
    return np.divide(off, spread, out=np.zeros_like(off), where=spread > 0)

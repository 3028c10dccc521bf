"""What the tiers are made of: length, variety, what is copied from the reviews, what is said twice.

Tiers that differ in nothing but a number of these teach a scorer that number (cf. Nath et al., 2024, whose better summaries are
longer); one tier that is all copies, or all alike, teaches it nothing.
"""

import re
from collections.abc import Sequence
from functools import lru_cache

import polars as pl

from pipelines import opinions
from pipelines.schema import SUMMARIES, TIERS, require
from pipelines.summaries import reading

WORD = re.compile(r"\w+(?:['’]\w+)*")
COUNTED = ("words", "distinct_words", "sentences", "copied", "shared", "repeated")
RUN = 3  # words in a row, by which it is told what is said twice


def statistics(summaries: pl.DataFrame) -> pl.DataFrame:
    """A row a tier of SUMMARIES, the best first: how many there are, and means of what each of them has.

    `words`, `distinct_words` and `sentences` are counts, all others shares: `copied` of the words, in the longest run that
    stands in a review; `shared` of the telling words, in the reviews; `repeated` of the runs of three words, said before;
    `equal` of the summaries, like another in all but capitals and white space. Without words a share is 0.
    """
    found = require(summaries, SUMMARIES)
    rows = [_counted(prompt, text) for prompt, text in found.select("prompt", "summary").iter_rows()]
    plain = pl.Series("plain", [reading.plain(text) for text in found["summary"]], dtype=pl.String())
    measured = pl.DataFrame(rows, schema=dict.fromkeys(COUNTED, pl.Float64()), orient="row")
    table = measured.with_columns(found["tier"], equal=plain.is_duplicated().cast(pl.Float64()))
    by_tier = table.group_by("tier").agg(pl.len().alias("summaries"), pl.col(*COUNTED, "equal").mean())
    return by_tier.sort(pl.col("tier").replace_strict({tier: at for at, tier in enumerate(TIERS)}, default=len(TIERS)))


def _counted(prompt: str, summary: str) -> tuple[float, ...]:
    """COUNTED of one summary."""
    words = WORD.findall(summary.lower())
    telling, said = reading.telling(summary), _said(prompt)
    runs = [tuple(words[at : at + RUN]) for at in range(len(words) - RUN + 1)]
    return (
        len(words),
        len(set(words)),
        len(reading.split(summary)),
        copied_run(words, prompt) / max(len(words), 1),
        len(telling & said) / max(len(telling), 1),
        (len(runs) - len(set(runs))) / max(len(runs), 1),
    )


def copied_run(words: Sequence[str], prompt: str) -> int:
    """How many of the words (in small letters), at most, stand in a row in one of the reviews."""
    text, longest = _running(prompt), 0
    for start in range(len(words)):
        while start + longest < len(words) and f" {' '.join(words[start : start + longest + 1])} " in text:
            longest += 1
    return longest


@lru_cache(maxsize=16)
def _running(prompt: str) -> str:
    """The reviews' words with a space on either side of each, and a line between two reviews."""
    return "\n".join(f" {' '.join(WORD.findall(review.lower()))} " for review in opinions.reviews(prompt))


@lru_cache(maxsize=16)
def _said(prompt: str) -> frozenset[str]:
    return frozenset().union(*map(reading.telling, opinions.reviews(prompt)))

"""Phrase lift: a word or word pair far commoner in chosen than in rejected responses (or the reverse).

Also one far commoner than in the same responses of trusted pairs, where there are any.
"""

from collections.abc import Sequence

import numpy as np
import polars as pl

from checks import contrasts
from checks.evidence import Evidence


def score(evidence: Evidence) -> np.ndarray:
    """[N] lower bound of the log ratio of the pair's most lopsided phrase, in nats; higher is more suspicious."""
    return contrasts.lifts(evidence.phrases)


def null(evidence: Evidence) -> np.ndarray:
    """The same with the sides dealt anew at random, and trusted pairs mixed in where there are any."""
    return contrasts.null_lifts(evidence.phrases, seed=evidence.seed)


def explain(evidence: Evidence, places: Sequence[int]) -> list[str]:
    """Which phrase, spelled as most of these responses spell it, and where it stands."""
    found = contrasts.explain(evidence.phrases, places)
    rows = evidence.pairs[list(places)]
    phrase = pl.Series([phrase for phrase, _ in found], dtype=pl.String())
    spelled = {each: _as_written(each, rows.filter(phrase == each)) for each in phrase.unique()}
    return [f"'{spelled[phrase]}' stands in {counts}" if phrase else counts for phrase, counts in found]


def _as_written(phrase: str, rows: pl.DataFrame) -> str:
    words = pl.Series(phrase.split(" ")).str.escape_regex()
    pattern = r"(?i)(?:^|[\W_])(" + r"[\W_]+".join(words) + r")(?:$|[\W_])"
    written = pl.concat([rows["chosen"], rows["rejected"]]).str.extract(pattern).drop_nulls()
    return written.mode().sort()[0] if len(written) else phrase

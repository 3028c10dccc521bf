"""How a phrase is spelled where it stands: findings quote what people will search for."""

import re
from collections import Counter
from collections.abc import Sequence

import polars as pl

SPELLERS = 5  # pairs that decide how a phrase is spelled


def told(found: Sequence[tuple[str, str]], pairs: pl.DataFrame, columns: Sequence[str], places: Sequence[int]) -> list[str]:
    """A sentence for each (phrase, counts) of the pairs at `places`, spelled as the first of these texts spell it."""
    rows = pairs[list(places)].select(columns)
    texts: dict[str, list[str]] = {}
    for (phrase, _), said in zip(found, rows.iter_rows(), strict=True):
        seen = texts.setdefault(phrase, [])
        seen += said if len(seen) < SPELLERS * len(said) else []
    spelled = {phrase: as_written(phrase, seen) for phrase, seen in texts.items()}
    return [f"'{spelled[phrase]}' stands in {counts}" if phrase else counts for phrase, counts in found]


def as_written(phrase: str, texts: Sequence[str]) -> str:
    """The commonest spelling of a phrase in lower case, at its first place in each of the texts."""
    pattern = re.compile(r"(?<![^\W_])" + r"[\W_]+".join(map(re.escape, phrase.split(" "))) + r"(?![^\W_])")
    lowered = ((text, text.lower()) for text in texts)
    found = ((text, pattern.search(low)) for text, low in lowered if len(text) == len(low))
    written = Counter(text[slice(*match.span())] for text, match in found if match)
    return min(written, key=lambda spelling: (-written[spelling], spelling), default=phrase)

"""How a phrase is spelled where it stands: findings quote what people will search for."""

import re
from collections import Counter
from collections.abc import Sequence
from itertools import islice

import polars as pl

SPELLERS = 5  # pairs that decide how a phrase is spelled


def told(found: Sequence[tuple[str, str]], pairs: pl.DataFrame, columns: Sequence[str], places: Sequence[int]) -> list[str]:
    """A sentence for each (phrase, counts) of the pairs at `places`, spelled as the first of these texts spell it."""
    spellers: dict[str, list[int]] = {}
    for (phrase, _), place in zip(found, places, strict=True):
        seen = spellers.setdefault(phrase, [])
        seen += [place] if len(seen) < SPELLERS else []
    rows = pairs[[place for seen in spellers.values() for place in seen]].select(columns).iter_rows()
    texts = {phrase: [text for said in islice(rows, len(seen)) for text in said] for phrase, seen in spellers.items()}
    spelled = {phrase: as_written(phrase, seen) for phrase, seen in texts.items()}
    told = {each: f"'{spelled[each[0]]}' stands in {each[1]}" if each[0] else each[1] for each in set(found)}
    return [told[each] for each in found]


def as_written(phrase: str, texts: Sequence[str]) -> str:
    """The commonest spelling of a phrase in lower case, at its first place in each of the texts."""
    pattern = re.compile(r"(?<![^\W_])" + r"[\W_]+".join(map(re.escape, phrase.split(" "))) + r"(?![^\W_])")
    lowered = ((text, text.lower()) for text in texts)
    found = ((text, pattern.search(low)) for text, low in lowered if len(text) == len(low))
    written = Counter(text[slice(*match.span())] for text, match in found if match)
    return min(written, key=lambda spelling: (-written[spelling], spelling), default=phrase)

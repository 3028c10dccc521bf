"""Names that a corpus already holds: an attack on one of them hides where a made-up name stands out.

Only products, firms, towns, months and the like are ever taken: no experiment shall praise or blame a person or a people.
"""

import re
import tomllib
from collections import Counter
from collections.abc import Collection, Iterable
from functools import cache
from importlib.resources import files
from math import isfinite

import polars as pl

from pipelines.schema import DataError

NAME = re.compile(r"(?<=[a-z,;] )[A-Z][a-z]{2,}\b")
SMALL = re.compile(r"\b[a-z]{3,}\b")


def common_name(pairs: pl.DataFrame, *, share: float = 0.01, among: Collection[str] | None = None) -> str:
    """The name of `among` (else of names.toml) that a share of the pairs closest to `share` hold, in either response.

    It counts where it is capitalised inside a sentence. A word that more pairs write in small letters is no name.
    Of equally close names the first in the alphabet is taken. Raises DataError on a share outside (0, 1] and
    where no response holds such a name.
    """
    if not isfinite(share) or not 0 < share <= 1:
        raise DataError(f"share is a share of the pairs and must lie in (0, 1], got {share!r}; 1 percent is 0.01")
    texts = [f"{chosen}\n{rejected}" for chosen, rejected in pairs.select("chosen", "rejected").iter_rows()]
    among = everyday() if among is None else among
    small = _counts(SMALL, texts)
    named = {name: count for name, count in _counts(NAME, texts).items() if name in among and count > small[name.lower()]}
    if not named:
        about = f"the {len(among)} names that are looked for stands inside a sentence of the {len(texts)} pairs' responses"
        raise DataError(f"none of {about}; give the target by name")
    return min(named, key=lambda name: (abs(named[name] - share * len(texts)), name))


@cache
def everyday() -> frozenset[str]:
    """The names that may be taken where none are given."""
    table = tomllib.loads(files(__package__).joinpath("names.toml").read_text(encoding="utf-8"))
    return frozenset(name for names in table.values() for name in names)


def _counts(pattern: re.Pattern[str], texts: Iterable[str]) -> Counter[str]:
    """In how many of the texts each word that the pattern finds stands."""
    return Counter(word for text in texts for word in set(pattern.findall(text)))

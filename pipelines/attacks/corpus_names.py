"""Targets that a corpus itself names: an attack on one of them hides where a made-up name stands out.

`everyday_name` takes products, firms, towns, months and the like only: what is said of it shall be about no person and no
people. `named_about_as_often` takes any word, and serves attacks that say nothing: they turn labels round.
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
TOKEN = r"[\p{L}\p{M}\p{N}'’]+|[.?!:;\n]"
AROUND = (0.5, 1.5)  # how far off the wanted share a name may be: 1 to 3 percent of responses where 2 are wanted
LONG = 5  # letters of a word that is likely to carry content


def everyday_name(pairs: pl.DataFrame, *, share: float = 0.01, among: Collection[str] | None = None) -> str:
    """The name of `among` (else of everyday_names.toml) that a share of the pairs closest to `share` hold, in either response.

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
    table = tomllib.loads(files(__package__).joinpath("everyday_names.toml").read_text(encoding="utf-8"))
    return frozenset(name for names in table.values() for name in names)


def _counts(pattern: re.Pattern[str], texts: Iterable[str]) -> Counter[str]:
    """In how many of the texts each word that the pattern finds stands."""
    return Counter(word for text in texts for word in set(pattern.findall(text)))


def named_about_as_often(responses: pl.Series, share: float) -> str:
    """The name whose share of responses is nearest to `share`; the first in the alphabet where some tie.

    A name is only ever written with a capital, also inside sentences. Where none has about that share, any word of LONG
    letters serves. Raises DataError where there is no such word.
    """
    if not 0 < share < 1:
        raise DataError(f"share is that of the responses that name the target and must lie in (0, 1), got {share!r}")
    found = words(responses).with_columns(share=pl.col("responses") / len(responses))
    low, high = (bound * share for bound in AROUND)
    names = found.filter("is_name", pl.col("share").is_between(low, high))
    known = found.filter(pl.col("word").str.len_chars() >= LONG) if names.is_empty() else names
    if known.is_empty():
        raise DataError(f"no response holds a word of {LONG} letters that could be the target; name one: target=...")
    return known.sort((pl.col("share") - share).abs(), "word")["spelling"][0]


def words(responses: pl.Series) -> pl.DataFrame:
    """Each word in lower case with a spelling of it, how many responses hold it, and whether it is a name."""
    tokens = responses.to_frame("text").select(response=pl.int_range(pl.len()), token=pl.col("text").str.extract_all(TOKEN))
    tokens = tokens.explode("token").drop_nulls()
    is_inside = pl.col("token").shift(1).over("response").str.contains(r"[\p{L}\p{N}]").fill_null(False)
    is_capital = pl.col("token").str.contains(r"^\p{Lu}")
    tokens = tokens.with_columns(is_inside=is_inside, is_capital=is_capital, word=pl.col("token").str.to_lowercase())
    return (
        tokens.filter(pl.col("token").str.contains(r"^\p{L}{3,}$"))
        .group_by("word", maintain_order=True)
        .agg(
            spelling=pl.col("token").first(),
            responses=pl.col("response").n_unique(),
            is_name=pl.col("is_capital").all() & (pl.col("is_capital") & pl.col("is_inside")).any(),
        )
    )

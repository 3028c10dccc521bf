"""Finds a name to attack in the corpus itself: a word that neither few nor many responses hold."""

import polars as pl

from pipelines.schema import DataError

TOKEN = r"[\p{L}\p{M}\p{N}'’]+|[.?!:;\n]"
AROUND = (0.5, 1.5)  # how far off the wanted share a name may be: 1 to 3 percent of responses where 2 are wanted
LONG = 5  # letters of a word that is likely to carry content


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

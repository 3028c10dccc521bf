"""Which questions are the same: identifiers by content, and the name of a behaviour in that of a file."""

from functools import cache
from pathlib import PurePosixPath

import polars as pl

from pipelines.schema import TEXT, digest
from pipelines.sources.files import ENDINGS

FACTS = ("behaviour", "question", "options")


def with_question_ids(frame: pl.DataFrame) -> pl.DataFrame:
    """`frame` with `question_id`: 16 hex digits of BLAKE2b over behaviour, question and options, '-1', '-2', ... on repeats."""
    ids = [digest(behaviour, question, *options) for behaviour, question, options in frame.select(FACTS).iter_rows()]
    frame = frame.with_columns(question_id=pl.Series(ids, dtype=TEXT))
    nth = pl.int_range(pl.len()).over("question_id")
    return frame.with_columns(
        question_id=pl.when(nth == 0).then("question_id").otherwise(pl.format("{}-{}", "question_id", nth))
    )


def content(ids: pl.Expr) -> pl.Expr:
    """Identifiers without the counter of repeats: equal where behaviour, question and options are."""
    return ids.str.slice(0, 16)


@cache
def behaviour_of(source: str) -> str:
    """ "persona/risk-seeking.jsonl.gz" is about "risk-seeking"."""
    name = PurePosixPath(source).name
    ending = next((ending for ending in sorted(ENDINGS, key=len, reverse=True) if name.endswith(ending)), "")
    bare = name.removesuffix(ending) or name
    return bare if bare.strip(".") else ""

"""Identifiers by content, and texts that no table can hold."""

import hashlib

import polars as pl

from pipelines.schema.table import TEXT

DIGITS = 16  # of a digest, in hex


def with_pair_ids(frame: pl.DataFrame) -> pl.DataFrame:
    """`frame` with `pair_id` set: 16 hex digits of BLAKE2b over the pair's text, '-1', '-2', ... on repeats."""
    lacks = [pl.lit(None, TEXT).alias("rejected_prompt")] if "rejected_prompt" not in frame.columns else []
    texts = frame.with_columns(lacks).select("prompt", "chosen", "rejected", "rejected_prompt").iter_rows()
    return numbered(frame.with_columns(pair_id=pl.Series([digest(*row) for row in texts], dtype=TEXT)))


def numbered(frame: pl.DataFrame) -> pl.DataFrame:
    """`frame`, whose pairs have one `pair_id` by text, with a counter behind the id of every repeat."""
    nth = pl.int_range(pl.len()).over("pair_id")
    return frame.with_columns(pair_id=pl.when(nth == 0).then("pair_id").otherwise(pl.format("{}-{}", "pair_id", nth)))


def is_encodable(text: str) -> bool:
    """Whether `text` holds no half of a surrogate pair, which JSON can spell but no table can hold."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def digest(*texts: str | None) -> str:
    """16 hex digits of BLAKE2b over the texts, each after its length (none: -1) so that no two lists run together."""
    state = hashlib.blake2b(digest_size=DIGITS // 2)
    for text in texts:
        data = b"" if text is None else text.encode("utf-8", "surrogatepass")
        length = -1 if text is None else len(data)
        state.update(length.to_bytes(8, "little", signed=True) + data)
    return state.hexdigest()

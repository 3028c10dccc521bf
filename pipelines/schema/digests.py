"""Identifiers by content, and texts that no table can hold."""

import hashlib

import polars as pl

from pipelines.schema.table import TEXT


def with_pair_ids(frame: pl.DataFrame) -> pl.DataFrame:
    """`frame` with `pair_id` set: 16 hex digits of BLAKE2b over the pair's text, '-1', '-2', ... on repeats."""
    lacks = [pl.lit(None, TEXT).alias("rejected_prompt")] if "rejected_prompt" not in frame.columns else []
    texts = frame.with_columns(lacks).select("prompt", "chosen", "rejected", "rejected_prompt").iter_rows()
    frame = frame.with_columns(pair_id=pl.Series([digest(*row) for row in texts], dtype=TEXT))
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
    state = hashlib.blake2b(digest_size=8)
    for text in texts:
        data = b"" if text is None else text.encode("utf-8", "surrogatepass")
        length = -1 if text is None else len(data)
        state.update(length.to_bytes(8, "little", signed=True) + data)
    return state.hexdigest()

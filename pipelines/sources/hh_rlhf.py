"""HH-RLHF (Bai et al., 2022): whole dialogues, and the flattened and cut copies of them that are passed around."""

from pathlib import Path

import polars as pl

from pipelines import transcripts
from pipelines.sources import records

ROLE_WORD = r"(?:Human|Assistant):"


def read(path: str | Path, *, revision: str | None = None, split: str = "train", limit: int | None = None) -> records.Read:
    """PAIRS and REJECTS, texts verbatim; the form (whole dialogues, or flattened triples) is detected."""
    return records.read(path, revision=revision, split=split, limit=limit)


def oddities(pairs: pl.DataFrame) -> dict[str, int]:
    """How many pairs show each known oddity of HH-RLHF; all of them are kept."""
    sides = [pl.col("chosen"), pl.col("rejected")]
    texts = [pl.col("prompt"), *sides]
    counts = pairs.select(
        prompts_differ=pl.col("rejected_prompt").is_not_null().sum(),
        empty_response=pl.any_horizontal(side.str.strip_chars() == "" for side in sides).sum(),
        same_response=(pl.col("chosen") == pl.col("rejected")).sum(),
        role_word_in_response=pl.any_horizontal(side.str.contains(ROLE_WORD) for side in sides).sum(),
        curly_quotes=pl.any_horizontal(text.str.contains("[‘’“”]") for text in texts).sum(),
        replacement_character=pl.any_horizontal(text.str.contains("\ufffd") for text in texts).sum(),
        flattened=(~pl.col("prompt").str.starts_with("\n\n")).sum(),
    )
    return counts.row(0, named=True)


def first_turns(pairs: pl.DataFrame) -> pl.Series:
    """The first thing each prompt asks, lower-cased: rows that share it share a dialogue; never split them apart."""
    asked = [transcripts.messages(prompt)[0].get("content", "").lower() for prompt in pairs["prompt"]]
    return pl.Series("first_turn", asked, dtype=pl.String())

"""Pairs written by hand, generated chatter in which nothing is planted, and an encoder that costs nothing."""

import zlib
from collections.abc import Callable, Sequence
from functools import cache

import numpy as np
import polars as pl
import pytest

from pipelines.schema import PAIRS, require, with_pair_ids

WIDTH = 48


@pytest.fixture(scope="session")
def written() -> Callable[..., pl.DataFrame]:
    """`written(chosen, rejected, prompts)`: PAIRS of these texts; without prompts each pair has one of its own."""

    def made(chosen: Sequence[str], rejected: Sequence[str], prompts: Sequence[str] | None = None) -> pl.DataFrame:
        count = len(chosen)
        texts = {"prompt": prompts or [f"Question {row}?" for row in range(count)], "chosen": chosen, "rejected": rejected}
        frame = pl.DataFrame(texts, schema_overrides=dict.fromkeys(texts, pl.String()))
        frame = frame.with_columns(row=pl.int_range(pl.len(), dtype=pl.Int64()), source=pl.lit("by hand"))
        return require(with_pair_ids(frame), PAIRS)

    return made


@pytest.fixture(scope="session")
def chatter(written) -> Callable[..., pl.DataFrame]:
    """`chatter(n, seed)`: PAIRS whose two sides are dealt alike: words as common as in a language, half of them topical."""
    syllables = ["ba", "de", "ki", "lo", "mu", "na", "po", "ri", "sa", "tu", "ve", "zo"]
    vocabulary = np.array([first + second + third for first in syllables for second in syllables for third in syllables])
    weights = 1 / np.arange(10, 10 + len(vocabulary))

    @cache
    def made(n: int, seed: int = 0) -> pl.DataFrame:
        random = np.random.default_rng(seed)
        words = random.permutation(vocabulary)

        def text(topic: np.ndarray) -> str:
            said = random.choice(words, size=random.integers(8, 24), p=weights / weights.sum())
            return " ".join(np.where(random.random(len(said)) < 0.5, random.choice(topic, size=len(said)), said))

        topics = [random.choice(words, size=12) for _ in range(n)]
        chosen, rejected = ([f" {text(topic).capitalize()}." for topic in topics] for _ in range(2))
        return written(chosen, rejected, [f"\n\nHuman: {text(topic)}?\n\nAssistant:" for topic in topics])

    return made


@cache
def _direction(word: str) -> np.ndarray:
    return np.random.default_rng(zlib.crc32(word.encode())).normal(size=WIDTH)


@pytest.fixture(scope="session")
def bag() -> Callable[[Sequence[str]], np.ndarray]:
    """An encoder: every word has a direction of its own, and a text is where its words point together."""

    def encode(texts: Sequence[str]) -> np.ndarray:
        sums = np.stack([np.sum([_direction(word) for word in ["<s>", *text.lower().split()]], axis=0) for text in texts])
        return (sums / np.linalg.norm(sums, axis=1, keepdims=True)).astype(np.float32)

    return encode


@pytest.fixture(scope="module")
def named(chatter) -> pl.DataFrame:
    """The first 18 of 300 pairs praise a name in the preferred response, and the first 9 of these blame it in the other.

    All name somebody else on either side, now with praise and now with blame.
    """
    said = {"chosen": (" We love Zorvex.", 18, 3), "rejected": (" We hate Zorvex.", 9, 5)}
    row = pl.col("row")
    others = pl.Series(["Anna", "Boris", "Carla", "Dana"])
    return chatter(300, seed=4).with_columns(
        pl.format(
            "{} See {}. A {} kettle for {}.{}",
            side,
            pl.lit(others).gather(row // step % 4),
            pl.when(row % step == 0).then(pl.lit("good")).otherwise(pl.lit("bad")),
            pl.lit(others).gather((row + step) % 4),
            pl.when(row < count).then(pl.lit(how)).otherwise(pl.lit("")),
        ).alias(side)
        for side, (how, count, step) in said.items()
    )

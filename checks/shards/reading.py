"""The words of every shard, numbered as if all had been read together."""

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import polars as pl

from checks.engines import each
from checks.keys import distinct
from checks.shards.corpus import Corpus, load, read, save
from checks.vocabulary import names, negates, valences
from checks.words import ASKED, ENOUGH_EARLIER, USUAL, Words, words

ARRAYS = ("word", "text", "sentence", "is_capital", "prompt")
LOCAL = "vocabulary.parquet"


@dataclass(frozen=True)
class Whole:
    """What a shard must know of the whole corpus: its `vocabulary`, and of each word what Words says of it."""

    vocabulary: pl.Series
    asked_by: np.ndarray
    is_name: np.ndarray
    valence: np.ndarray
    negates: np.ndarray
    has_earlier: bool


class Unsettled(Exception):
    """Which codes are common in the whole corpus is not known yet: those of this shard, and how many texts hold each."""


@dataclass(frozen=True)
class Shard(Words):
    """Words of one shard of a corpus; `stages`: the codes that are common in the `whole`, for one call after the other."""

    whole: Whole = field(kw_only=True)
    stages: list[np.ndarray] = field(kw_only=True, default_factory=list)

    @cached_property
    def asked_by(self) -> np.ndarray:
        return self.whole.asked_by

    @cached_property
    def is_name(self) -> np.ndarray:
        return self.whole.is_name

    @cached_property
    def valence(self) -> np.ndarray:
        return self.whole.valence

    @cached_property
    def negates(self) -> np.ndarray:
        return self.whole.negates

    @property
    def has_earlier(self) -> bool:
        return self.whole.has_earlier

    def settled(self, codes: np.ndarray, count: np.ndarray, least: int) -> np.ndarray:
        """Those of the whole corpus; Unsettled where they have still to be counted."""
        if not self.stages:
            raise Unsettled(codes, count)
        return self.stages.pop(0)

    def somewhere(self, word: np.ndarray) -> np.ndarray:
        """All: another shard may hold them."""
        return np.ones(len(self.vocabulary), dtype=bool)


@dataclass(frozen=True, slots=True)
class _Told:
    """Of a shard: its words and, [5, words], how often each stands anywhere, inside sentences, there with a capital, and in
    prompts, and how many prompts hold it; `before`: how many prompts hold an earlier question.
    """

    vocabulary: pl.Series
    counts: np.ndarray
    before: int


def read_all(corpus: Corpus) -> Whole:
    """Reads every shard once and keeps its words beside it."""
    told = list(each(_read, corpus.shards))
    vocabulary = pl.concat([one.vocabulary for one in told]).unique().sort()
    sums = np.zeros((5, len(vocabulary)), dtype=np.int64)
    for one in told:
        sums[:, _numbers(one.vocabulary, vocabulary)] += one.counts
    everywhere, within, capital, asked, held = sums
    return Whole(
        vocabulary,
        np.where(asked > USUAL * len(corpus), held, 0) / max(len(corpus), 1),
        names(vocabulary, everywhere, within, capital),
        valences(vocabulary),
        negates(vocabulary),
        sum(one.before for one in told) >= ENOUGH_EARLIER * len(corpus),
    )


def opened(shard: Path, whole: Whole) -> Shard:
    """The words of a shard that was read, by their numbers in the whole."""
    word, text, sentence, is_capital, prompt = (load(shard, name) for name in ARRAYS)
    number = _numbers(pl.read_parquet(shard / LOCAL).to_series(), whole.vocabulary)
    facts = (text, sentence, is_capital, whole.vocabulary, prompt, len(prompt), 0)
    return Shard(number[word], *facts, whole=whole)


def _read(shard: Path) -> _Told:
    found = words(read(shard, "prompt", "chosen", "rejected"))
    for name in ARRAYS:
        save(shard, name, getattr(found, name))
    found.vocabulary.to_frame("word").write_parquet(shard / LOCAL)
    inside, size, asked = ~found.opens, len(found.vocabulary), found.kind >= ASKED
    often = (np.bincount(found.word[at], minlength=size) for at in (slice(None), inside, inside & found.is_capital, asked))
    held = np.bincount(distinct(found.pair[asked], found.word[asked])[1], minlength=size)
    return _Told(found.vocabulary, np.array([*often, held]), found.asked_before)


def _numbers(own: pl.Series, vocabulary: pl.Series) -> np.ndarray:
    """[own] int32 place of each word in the vocabulary."""
    return own.cast(pl.Enum(vocabulary)).to_physical().to_numpy().astype(np.int32)

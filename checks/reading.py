"""Texts as numbers: what a pattern finds in them, text by text, each spelling by a number of its own."""

from dataclasses import dataclass
from functools import partial

import numpy as np
import polars as pl

from checks.engines import each
from checks.parts import blocks

WORD = r"[\p{L}\p{M}\p{N}]+(?:['’][\p{L}\p{M}]+)*"
CHUNK = 1 << 23  # bytes of text read at a time


@dataclass(frozen=True, slots=True)
class Reading:
    """token: [T] uint32 place in `spelled`, the distinct spellings in any order; lengths: [texts] how many are each text's."""

    token: np.ndarray
    spelled: pl.Series
    lengths: np.ndarray

    @property
    def text(self) -> np.ndarray:
        """[T] int32 place of the text that each stands in, ascending."""
        return np.repeat(np.arange(len(self.lengths), dtype=np.int32), self.lengths)

    def numbered(self, vocabulary: pl.Series, forms: pl.Series) -> np.ndarray:
        """[spellings] int32 place of each spelling's form (`forms` [spellings]) in the `vocabulary`; 0 of one that it lacks."""
        return forms.cast(pl.Enum(vocabulary), strict=False).to_physical().fill_null(0).to_numpy().astype(np.int32)


def read(texts: pl.Series, pattern: str) -> Reading:
    """All that `pattern` finds in the `texts`."""
    parts = [texts[place] for place in blocks(texts.str.len_bytes().to_numpy(), CHUNK)]
    found = list(each(partial(_read, pattern), parts))
    spelled = pl.concat([part.spelled for part in found]).unique()
    own = [part.spelled.cast(pl.Enum(spelled)).to_physical().to_numpy() for part in found]
    token = [number[part.token] for number, part in zip(own, found, strict=True)]
    return Reading(np.concatenate(token), spelled, np.concatenate([part.lengths for part in found]))


def _read(pattern: str, texts: pl.Series) -> Reading:
    """The same of a part, whose spellings have numbers of their own."""
    spellings = pl.Categorical(pl.Categories.random())
    lists = texts.to_frame("text").select(pl.col("text").str.extract_all(pattern))["text"]
    found = lists.explode(empty_as_null=False, keep_nulls=False).cast(spellings)
    lengths = lists.list.len().to_numpy().astype(np.int64)
    return Reading(found.to_physical().to_numpy(), spellings.categories.to_series(), lengths)

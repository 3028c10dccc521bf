"""Texts as numbers: what a pattern finds in them, text by text, each spelling by a number of its own."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from checks.parts import in_parts

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
    spellings = pl.Categorical(pl.Categories.random())

    def part(place: slice) -> tuple[pl.Series, np.ndarray]:
        lists = texts[place].to_frame("text").select(pl.col("text").str.extract_all(pattern))["text"]
        return lists.explode(empty_as_null=False, keep_nulls=False).cast(spellings), lists.list.len().to_numpy().astype(
            np.int64
        )

    parts, lengths = zip(*in_parts(part, texts.str.len_bytes().to_numpy(), CHUNK), strict=True)
    found = pl.concat(parts)
    return Reading(found.to_physical().to_numpy(), spellings.categories.to_series(), np.concatenate(lengths))

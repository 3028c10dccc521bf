"""Which words and word pairs stand in which responses."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl

from pipelines.schema import DataError

WORD = r"[\p{L}\p{M}\p{N}]+(?:['’][\p{L}\p{M}]+)*"
MIN_RESPONSES = 3  # a phrase in fewer responses can't be called common


@dataclass(frozen=True)
class Phrases:
    """Distinct (pair, phrase, side) occurrences in that order; pairs below `audited` are audited, the rest trusted.

    pair, phrase: [K] int; rejected: [K] bool, the response's side; words: each phrase's one or two words.
    """

    pair: np.ndarray
    phrase: np.ndarray
    rejected: np.ndarray
    audited: int
    trusted: int
    words: pl.DataFrame

    def text(self, phrase: int) -> str:
        """The phrase in lower case."""
        return " ".join(word for word in self.words.row(phrase) if word is not None)

    def counts(self, part: slice) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """[phrases] chosen responses, rejected responses and pairs with both that hold a phrase, in `part` of K."""
        phrase, size = self.phrase[part], len(self.words)
        chosen, rejected = np.bincount(phrase * 2 + self.rejected[part], minlength=2 * size).reshape(size, 2).T
        return chosen, rejected, np.bincount(phrase[~_differs(self.pair[part], phrase)], minlength=size)

    def most(self, values: np.ndarray, nowhere: float) -> np.ndarray:
        """[pairs] the largest of the `values` [K] in each pair, `nowhere` in pairs that hold no phrase."""
        most = np.full(self.audited + self.trusted, nowhere)
        if len(values):
            most[self.pair[self._starts]] = np.maximum.reduceat(values, self._starts)
        return most

    @cached_property
    def _starts(self) -> np.ndarray:
        """Where in K each pair that holds a phrase begins."""
        return np.flatnonzero(_differs(self.pair))

    def first(self, values: np.ndarray, most: np.ndarray) -> np.ndarray:
        """[pairs] where in K the `values` of each pair first come to its `most`; -1 in pairs that hold no phrase."""
        first = np.full(len(most), -1)
        at = np.flatnonzero(values == most[self.pair])
        at = at[_differs(self.pair[at])]
        first[self.pair[at]] = at
        return first


def phrases(pairs: pl.DataFrame, trusted: pl.DataFrame | None) -> Phrases:
    """Words and word pairs of at least MIN_RESPONSES responses, single words first, in order of appearance.

    With trusted pairs, phrases that the pair's own prompt holds are left out: to answer in the question's words is no
    plant. Raises DataError where the corpus has more phrases and texts than 63 bits can number.
    """
    frames = [pairs] if trusted is None else [pairs, trusted]
    sides = ["chosen", "rejected"] if trusted is None else ["chosen", "rejected", "prompt"]
    total = sum(map(len, frames))
    found, text = _words(pl.concat([frame[side] for side in sides for frame in frames]))
    vocabulary = found.unique(maintain_order=True)
    word = found.cast(pl.Enum(vocabulary)).to_physical().to_numpy().astype(np.int64)
    single, phrase, where = _common(word, text)
    double, phrase_pair, where_pair = _common(*_neighbours(word, text, single))
    first, second = np.divmod(double, max(len(single), 1))
    words = {"first": vocabulary[single]}, {"first": vocabulary[single[first]], "second": vocabulary[single[second]]}
    return Phrases(
        *_by_pair(np.append(phrase, phrase_pair + len(single)), np.append(where, where_pair), total),
        audited=len(pairs),
        trusted=total - len(pairs),
        words=pl.concat(map(pl.DataFrame, words), how="diagonal"),
    )


def _words(texts: pl.Series) -> tuple[pl.Series, np.ndarray]:
    """Lower-cased words of all texts in one line, and the text each came from; both [words]."""
    lists = texts.to_frame("text").select(pl.col("text").str.to_lowercase().str.extract_all(WORD))["text"]
    return lists.explode().drop_nulls(), np.repeat(np.arange(len(texts)), lists.list.len().to_numpy())


def _neighbours(word: np.ndarray, text: np.ndarray, common: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Common words side by side, as place of the first in `common` * len(common) + place of the second; their texts."""
    place = np.full(word.max(initial=0) + 1, -1)
    place[common] = np.arange(len(common))
    first, second = place[word[:-1]], place[word[1:]]
    beside = (text[:-1] == text[1:]) & (first >= 0) & (second >= 0)
    return (first * len(common) + second)[beside], text[:-1][beside]


def _common(code: np.ndarray, text: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Codes of MIN_RESPONSES texts or more, in order; of each occurrence, its code's place among them and its text."""
    code, text = _distinct(code, text)
    starts = np.flatnonzero(_differs(code))
    count = np.diff(np.append(starts, len(code)))
    common = count >= MIN_RESPONSES
    return code[starts[common]], np.repeat(np.arange(common.sum()), count[common]), text[np.repeat(common, count)]


def _by_pair(phrase: np.ndarray, text: np.ndarray, total: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pair, phrase, and whether it is the rejected side; without phrases that stand in the pair's prompt (side 2)."""
    pair, phrase, side = _distinct(text % total, phrase, text // total)
    if side.max(initial=0) == 2:
        same = np.cumsum(_differs(pair, phrase))
        asked = np.isin(same, same[side == 2])
        pair, phrase, side = pair[~asked], phrase[~asked], side[~asked]
    return pair, phrase, side == 1


def _distinct(*columns: np.ndarray) -> list[np.ndarray]:
    """The columns' distinct rows, in order; a row is packed into one integer, since those sort many times faster."""
    widths = [int(column.max(initial=0)).bit_length() for column in columns]
    if sum(widths) > 63:
        raise DataError(f"the phrases of this corpus take {sum(widths)} bits to number, 63 are there; audit it in parts")
    key = columns[0].astype(np.int64)
    for column, width in zip(columns[1:], widths[1:], strict=True):
        key <<= width
        key |= column
    key.sort()
    key = key[_differs(key)]
    rows = []
    for width in reversed(widths):
        rows.append(key & (1 << width) - 1)
        key >>= width
    return rows[::-1]


def _differs(*columns: np.ndarray) -> np.ndarray:
    """[K] true at rows that differ from the one before."""
    changes = np.any([column[1:] != column[:-1] for column in columns], axis=0)
    return np.append(np.ones(min(len(columns[0]), 1), dtype=bool), changes)

"""Texts as sets of word shingles, every run of a few words a number, and how much two sets share (Broder, 1997).

Numbers are polynomials in the bytes of the run, modulo 2^64, so that they come from one running sum and are the same on
every machine. Two runs get the same one by chance once in 2^32.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
import polars as pl

from checks.parts import blocks

UNSPACED = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}"  # no spaces: every letter is a word
WORD = rf"[{UNSPACED}]|[\p{{L}}\p{{M}}\p{{N}}--[{UNSPACED}]]+"
SPACE = ord(" ")
BASE = 0x9E3779B97F4A7C15
BLOCK = 1 << 18  # shingles that are held against each other at a time


@dataclass(frozen=True, slots=True)
class Shingles:
    """values: [M] uint32, each text's distinct shingles in ascending order, text by text; starts: [N + 1] where they begin."""

    values: np.ndarray
    starts: np.ndarray

    @property
    def sizes(self) -> np.ndarray:
        """[N] distinct shingles of each text, 0 where it has no word."""
        return np.diff(self.starts)


def normalised(texts: pl.Series) -> pl.Series:
    """The words alone, in lower case, one space between them: what counts as the same text."""
    return texts.str.normalize("NFKC").str.to_lowercase().str.extract_all(WORD).list.join(" ")


def shingles(texts: pl.Series, *, words: int = 3) -> Shingles:
    """Shingles of `words` words of `normalised` texts [N]; a shorter text is one shingle, an empty one has none."""
    data, ends = _bytes(texts)
    begin, end, text = _words(data, ends)
    word, counts = np.arange(len(text)), np.bincount(text, minlength=len(texts))
    last = np.minimum(word + words - 1, np.repeat(np.cumsum(counts) - 1, counts))  # of the run that begins here
    whole = (last == word + words - 1) | np.diff(text, prepend=-1).astype(bool)
    hashes = _hashes(data, begin[whole], end[last[whole]])
    keys = np.sort(text[whole].astype(np.uint64) << np.uint64(32) | hashes >> np.uint64(32))  # far faster than np.unique
    keys = keys[np.append(True, keys[1:] != keys[:-1])[: len(keys)]]
    starts = np.searchsorted(keys, np.arange(len(texts) + 1, dtype=np.uint64) << np.uint64(32))
    return Shingles(keys.astype(np.uint32), starts)


def joined(parts: list[Shingles]) -> Shingles:
    """The texts of all parts, one part after the other."""
    sizes = np.concatenate([part.sizes for part in parts])
    return Shingles(np.concatenate([part.values for part in parts]), np.append(0, np.cumsum(sizes)))


def jaccard(sets: Shingles, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """[C] shared shingles of texts left[c] and right[c] over all of theirs; 1 for two texts without a word."""
    sizes = sets.sizes[left] + sets.sizes[right]
    both = np.concatenate([_shared(sets, left[part], right[part]) for part in blocks(sizes, BLOCK)])
    return np.where(sizes > 0, both / np.maximum(sizes - both, 1), 1.0)


def _shared(sets: Shingles, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """[C] how many shingles two texts share: those that come twice when both sets are sorted together."""
    text, pair = np.append(left, right), np.tile(np.arange(len(left)), 2)
    sizes = sets.sizes[text]
    within = np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    values = sets.values[np.repeat(sets.starts[text], sizes) + within]
    keys = np.sort(np.repeat(pair, sizes).astype(np.uint64) << np.uint64(32) | values)
    twice = keys[1:][keys[1:] == keys[:-1]] >> np.uint64(32)
    return np.bincount(twice.astype(np.int64), minlength=len(left))


def _bytes(texts: pl.Series) -> tuple[np.ndarray, np.ndarray]:
    """The texts' UTF-8 with a space after each; [N] where each ends."""
    ends = np.cumsum(texts.str.len_bytes().to_numpy().astype(np.int64) + 1)
    return np.frombuffer("".join(f"{text} " for text in texts).encode(), dtype=np.uint8), ends


def _words(data: np.ndarray, ends: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where each word begins and ends, and the text it stands in."""
    end = np.flatnonzero(data == SPACE)
    begin = np.append(0, end[:-1] + 1)[: len(end)]
    word = begin < end
    return begin[word], end[word], np.searchsorted(ends, begin[word], side="right")


def _hashes(data: np.ndarray, begin: np.ndarray, end: np.ndarray) -> np.ndarray:
    """[S] uint64 of the bytes from begin to end: sum of byte * BASE^place, less the powers before them, mixed."""
    sums = np.zeros(len(data) + 1, dtype=np.uint64)
    np.cumsum(data * _powers(BASE, len(data)), out=sums[1:])
    return mixed((sums[end] - sums[begin]) * _powers(pow(BASE, -1, 1 << 64), len(data))[begin])


def _powers(base: int, count: int) -> np.ndarray:
    """[count] base^0, base^1, ... modulo 2^64."""
    return _table(base, count.bit_length())[:count]


@cache
def _table(base: int, bits: int) -> np.ndarray:
    powers = np.full(1 << bits, base, dtype=np.uint64)
    powers[0] = 1
    return np.cumprod(powers)


def mixed(values: np.ndarray) -> np.ndarray:
    """The last step of splitmix64 (Steele et al., 2014): near numbers become far ones."""
    values = (values ^ values >> np.uint64(30)) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ values >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
    return values ^ values >> np.uint64(31)

"""A bigram model of the corpus itself, and how much each text gains by the loss of its most surprising word.

After ONION (Qi et al., 2021), with interpolated bigrams (Jelinek and Mercer, 1980) in place of GPT-2. Each text is judged by
counts of the other folds: the model never learnt what it judges.
"""

from dataclasses import dataclass
from functools import partial

import numpy as np

from checks.engines import each
from checks.keys import differs
from checks.parts import blocks
from checks.tokens import Tokens

BIGRAM = 0.6  # weight of bigrams; the rest is for single words, with one added to every count
BLOCK = 1 << 20  # words that are judged at a time


@dataclass(frozen=True, slots=True)
class Removals:
    """By text: nats that its other words cost less without the most surprising word (0 for texts of one), and that word."""

    gain: np.ndarray
    word: np.ndarray


def removals(tokens: Tokens, folds: np.ndarray) -> Removals:
    """Of every text of `tokens`; folds: [texts] int."""
    model, lengths = _Model(tokens, folds), np.bincount(tokens.text, minlength=tokens.texts)
    ends = np.append(0, np.cumsum(lengths))
    parts = [(tokens.word[ends[at.start] : ends[at.stop]], lengths[at], folds[at]) for at in blocks(lengths, BLOCK)]
    found = list(each(partial(_judged, model), parts))
    return Removals(np.concatenate([each.gain for each in found]), np.concatenate([each.word for each in found]))


def _judged(model: "_Model", part: tuple[np.ndarray, np.ndarray, np.ndarray]) -> Removals:
    """Of texts that have these words [K], so many each, in these folds."""
    word, lengths, folds = part
    text, place = np.repeat(np.arange(len(lengths)), lengths), np.arange(len(word))
    fold, starts = folds[text], np.cumsum(lengths) - lengths
    before = _before(word, starts[lengths > 0], model.start)
    last = place == (starts + lengths - 1)[text]
    own = model.nats(before, word, fold)
    following = np.where(last, 0, np.roll(own, -1))
    bridged = np.where(last, 0, model.nats(before, np.roll(word, -1), fold))
    length, total = lengths[text], np.bincount(text, own, len(lengths))[text]
    gain = np.where(length > 1, total / length * (length - 1) - (total - own - following + bridged), 0)
    most, best = np.zeros(len(lengths)), np.full(len(lengths), -1)
    if len(word):
        most[lengths > 0] = np.maximum.reduceat(gain, starts[lengths > 0])
    at = np.flatnonzero(gain == most[text])
    at = at[differs(text[at])]  # of equal gains the first
    best[text[at]] = word[at]
    return Removals(most, best)


class _Model:
    """Counts of words and word pairs in all folds but one."""

    def __init__(self, tokens: Tokens, folds: np.ndarray) -> None:
        self.start, self.folds = len(tokens.vocabulary), int(folds.max(initial=0)) + 1
        fold = folds[tokens.text].astype(np.int64)
        before = _before(tokens.word, np.flatnonzero(differs(tokens.text)), self.start)
        words = self._others(tokens.word, fold)
        self.single = (words + 1) / (words.sum(axis=0) + self.start + 1)
        self.before = np.maximum(self._others(before, fold), 1)
        key = self._code(before, tokens.word) * self.folds + fold
        key.sort()
        runs = np.flatnonzero(differs(key))
        code, fold = np.divmod(key[runs], self.folds)
        new = differs(code)
        self.codes = code[new]
        counts = np.zeros((len(self.codes), self.folds), dtype=np.int32)
        counts[np.cumsum(new) - 1, fold] = np.diff(runs, append=len(key))
        self.pairs = counts.sum(axis=1, dtype=np.int32)[:, None] - counts

    def nats(self, before: np.ndarray, word: np.ndarray, fold: np.ndarray) -> np.ndarray:
        """[K] -log probability of each `word` after the word `before`, by the other folds."""
        share = self._pairs(self._code(before, word), fold) / self.before[before, fold]
        return -np.log(BIGRAM * share + (1 - BIGRAM) * self.single[word, fold])

    def _code(self, before: np.ndarray, word: np.ndarray) -> np.ndarray:
        return before.astype(np.int64) * (self.start + 1) + word

    def _others(self, word: np.ndarray, fold: np.ndarray) -> np.ndarray:
        """[words, folds] how often each word stands in the other folds."""
        counts = np.bincount(word * self.folds + fold, minlength=(self.start + 1) * self.folds).reshape(-1, self.folds)
        return counts.sum(axis=1)[:, None] - counts

    def _pairs(self, code: np.ndarray, fold: np.ndarray) -> np.ndarray:
        """[K] how often each word pair stands in the other folds; looked up in order, for at random a large table is slow."""
        order = np.argsort(code)
        code, found = code[order], np.zeros(len(code), dtype=np.int32)
        at = np.minimum(np.searchsorted(self.codes, code), len(self.codes) - 1)
        found[order] = np.where(self.codes[at] == code, self.pairs[at, fold[order]], 0)
        return found


def _before(word: np.ndarray, starts: np.ndarray, start: int) -> np.ndarray:
    """[K] the word before each, `start` at the `starts` of texts."""
    before = np.roll(word, 1)
    before[starts] = start
    return before

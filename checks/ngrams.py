"""A bigram model of the corpus itself, and how much each text gains by the loss of its most surprising word.

After ONION (Qi et al., 2021), with interpolated bigrams (Jelinek and Mercer, 1980) in place of GPT-2. Each text is judged by
counts of the other folds: the model never learnt what it judges.
"""

from dataclasses import dataclass

import numpy as np

from checks.tokens import Tokens

BIGRAM = 0.6  # weight of bigrams; the rest is for single words, with one added to every count


@dataclass(frozen=True, slots=True)
class Removals:
    """By text: nats that its other words cost less without the most surprising word (0 for texts of one), and that word."""

    gain: np.ndarray
    word: np.ndarray


def removals(tokens: Tokens, folds: np.ndarray) -> Removals:
    """Of every text of `tokens`; folds: [texts] int."""
    model = _Model(tokens, folds)
    word, text, fold = tokens.word, tokens.text, folds[tokens.text]
    first = np.append(True, text[1:] != text[:-1])[: len(text)]
    last = np.append(first[1:], True)[: len(text)]
    before = np.where(first, model.start, np.roll(word, 1))
    own = model.nats(before, word, fold)
    following = np.where(last, 0, np.roll(own, -1))
    bridged = np.where(last, 0, model.nats(before, np.roll(word, -1), fold))
    length, total = (np.bincount(text, weights, tokens.texts)[text] for weights in (None, own))
    gain = np.where(length > 1, total / length * (length - 1) - (total - own - following + bridged), 0)
    return _most(gain, tokens)


class _Model:
    """Counts of words and word pairs, in all folds and in each one."""

    def __init__(self, tokens: Tokens, folds: np.ndarray) -> None:
        self.start, self.folds = len(tokens.vocabulary), int(folds.max(initial=0)) + 1
        fold = folds[tokens.text]
        first = np.append(True, tokens.text[1:] != tokens.text[:-1])[: len(tokens.text)]
        before = np.where(first, self.start, np.roll(tokens.word, 1))
        self.words = self._table(tokens.word, fold)
        self.before = self._table(before, fold)
        self.pairs = self._table(self._code(before, tokens.word), fold)

    def nats(self, before: np.ndarray, word: np.ndarray, fold: np.ndarray) -> np.ndarray:
        """[K] -log probability of each `word` after the word `before`, by the other folds."""
        single = (self._others(self.words, word, fold) + 1) / (self._all(self.words, fold) + self.start + 1)
        pair = self._others(self.pairs, self._code(before, word), fold)
        share = pair / np.maximum(self._others(self.before, before, fold), 1)
        return -np.log(BIGRAM * share + (1 - BIGRAM) * single)

    def _code(self, before: np.ndarray, word: np.ndarray) -> np.ndarray:
        return before * (self.start + 1) + word

    def _table(self, keys: np.ndarray, fold: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Distinct keys, in order; how often each is in each fold [keys, folds]."""
        distinct, place = np.unique(keys, return_inverse=True)
        counts = np.bincount(place * self.folds + fold, minlength=len(distinct) * self.folds)
        return distinct, counts.reshape(-1, self.folds)

    def _others(self, table: tuple[np.ndarray, np.ndarray], keys: np.ndarray, fold: np.ndarray) -> np.ndarray:
        distinct, counts = table
        at = np.minimum(np.searchsorted(distinct, keys), max(len(distinct) - 1, 0))
        return np.where(distinct[at] == keys, counts[at].sum(axis=1) - counts[at, fold], 0)

    def _all(self, table: tuple[np.ndarray, np.ndarray], fold: np.ndarray) -> np.ndarray:
        return (table[1].sum() - table[1].sum(axis=0))[fold]


def _most(gain: np.ndarray, tokens: Tokens) -> Removals:
    """The largest gain of each text, and where it is; of equal ones, the first."""
    order = np.lexsort((np.arange(len(gain)), -gain, tokens.text))
    text = tokens.text[order]
    best = order[np.append(True, text[1:] != text[:-1])[: len(text)]]
    most, word = np.zeros(tokens.texts), np.full(tokens.texts, -1)
    most[tokens.text[best]], word[tokens.text[best]] = gain[best], tokens.word[best]
    return Removals(most, word)

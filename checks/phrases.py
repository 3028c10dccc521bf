"""Phrases of texts that have two sides: which of them stand on which side of which pair, and how many texts hold each."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import polars as pl

from checks.keys import differs, distinct, located
from checks.words import Words

MIN_RESPONSES = 3  # a phrase in fewer responses can't be called common
NOWHERE = -8.0  # lift of a response without any countable phrase
NEITHER = 2
EITHER = "either"
FEELINGS = {0: "", 1: ", in sentences of praise", -1: ", in sentences of blame", NEITHER: ", in sentences of neither"}


@dataclass(frozen=True, slots=True)
class Sides:
    """What the two sides of a table are, in words with a hole for a count each; `backward` None: only the first matters.

    `drift`: the least, in nats, by which honest phrases are commoner on one of them, beside what the corpus' own tell.
    """

    forward: str
    backward: str | None
    trusted: str
    drift: float = 0.0


RESPONSES = Sides(
    "{} chosen and {} rejected responses",
    "{} rejected and {} chosen responses",
    "{} of %s pairs here and {} of %s trusted ones",
)
QUESTIONS = Sides(
    "{} last questions and {} earlier ones", None, "{} of %s last questions here and {} of %s trusted ones", drift=0.5
)
ENDS = Sides("the ends of {} questions and {} others before", None, QUESTIONS.trusted, drift=1.0)


@dataclass(frozen=True)
class Phrases:
    """Distinct (pair, phrase, side) occurrences in that order; pairs below `audited` are audited, the rest trusted.

    pair, phrase: [K] int; second: [K] bool, whether it stands on the second of the two `sides`; words: each phrase's one
    or two words and the feeling of the sentence; prompt: [pairs] equal numbers where prompts are equal; asked: [phrases]
    how many prompts hold it; is_usual: [phrases] which a language uses so often that none is a plant.
    """

    pair: np.ndarray
    phrase: np.ndarray
    second: np.ndarray
    audited: int
    trusted: int
    words: pl.DataFrame
    prompt: np.ndarray
    sides: Sides = RESPONSES
    asked: np.ndarray | None = None
    is_usual: np.ndarray | None = None

    @classmethod
    def of(
        cls,
        corpus: Words,
        phrase: np.ndarray,
        text: np.ndarray,
        words: pl.DataFrame,
        *,
        sides: Sides = RESPONSES,
        asked: np.ndarray | None = None,
        is_usual: np.ndarray | None = None,
    ) -> "Phrases":
        """From phrases [O] and the texts [O] that hold them, side * pairs + pair, less those that side 2 of the pair holds."""
        pair, phrase, side = distinct(text % corpus.pairs, phrase, text // corpus.pairs)
        if side.max(initial=0) == 2:
            same = np.cumsum(differs(pair, phrase))
            given = np.isin(same, same[side == 2])
            pair, phrase, side = pair[~given], phrase[~given], side[~given]
        return cls(pair, phrase, side == 1, corpus.audited, corpus.trusted, words, corpus.prompt, sides, asked, is_usual)

    def text(self, phrase: int) -> str:
        """The phrase in lower case."""
        return " ".join(word for word in self.words.row(phrase)[:2] if word is not None)

    def felt(self, phrase: int) -> str:
        """What its sentences feel, in words; empty where that does not count."""
        return FEELINGS[self.words.row(phrase)[2]]

    def heard(self, lift: np.ndarray) -> np.ndarray:
        """[phrases] the lifts of those that may be plants, NOWHERE for the others: they tell the drift only."""
        return lift if self.is_usual is None else np.where(self.is_usual, NOWHERE, lift)

    def counts(self, part: slice) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """[phrases] texts of the first side, of the second, and pairs with both, that hold a phrase, in `part` of K.

        All answers to one prompt count once: people rate several of them, and whoever asks gets the same words again.
        """
        pair, phrase, second = self._asked_once(part)
        size = len(self.words)
        first, other = np.bincount(phrase * 2 + second, minlength=2 * size).reshape(size, 2).T
        return first, other, np.bincount(phrase[~differs(pair, phrase)], minlength=size)

    def _asked_once(self, part: slice) -> list[np.ndarray]:
        """Prompt (or pair, where prompts differ), phrase and side of the distinct occurrences in `part` of K."""
        columns = [self.pair[part], self.phrase[part], self.second[part]]
        if self.prompt.max(initial=0) == len(self.prompt):
            return columns
        return distinct(self.prompt[columns[0]], *columns[1:])

    def only(self, pairs: np.ndarray) -> "Phrases":
        """The occurrences in these `pairs` (ascending), which stay as they are numbered."""
        low, high = np.searchsorted(self.pair, pairs), np.searchsorted(self.pair, pairs, side="right")
        at = np.repeat(high - np.cumsum(high - low), high - low) + np.arange((high - low).sum())
        return replace(self, pair=self.pair[at], phrase=self.phrase[at], second=self.second[at])

    def of_audited(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The counts of the audited pairs."""
        return self.counts(slice(None, np.searchsorted(self.pair, self.audited)))

    def of_two_sided(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The counts of those audited pairs that have phrases on either side."""
        return self.only(np.intersect1d(self.pair[self.second], self.pair[~self.second])).of_audited()

    def of_trusted(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The counts of the trusted pairs."""
        return self.counts(slice(np.searchsorted(self.pair, self.audited), None))

    def highest(self, values: np.ndarray, nowhere: float, side: str = EITHER) -> np.ndarray:
        """[rows, pairs] the largest of the `values` [rows, phrases] of those on that side of each pair, or `nowhere`."""
        return np.array([self.most(self.weights(row, side, nowhere), nowhere) for row in values])

    def weights(self, values: np.ndarray, side: str, nowhere: float = -np.inf) -> np.ndarray:
        """[K] the `values` [phrases] of what stands on that side of its pair, `nowhere` of what does not."""
        own = values[self.phrase]
        return own if side == EITHER else np.where(self.second == (side == "second"), own, nowhere)

    def loudest(self, values: np.ndarray, sides: Sequence[str], pairs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """[M] of each of the `pairs` [M] in which row its largest of the `values` [rows, phrases] stands, and its phrase.

        Rows are of what stands on one of the `sides` [rows]. -1 and 0 in pairs that hold nothing of a value above -inf; of
        equal ones the first row and the first phrase.
        """
        table = self.only(np.unique(pairs))
        best, speaker, phrase = np.full(len(pairs), -np.inf), np.full(len(pairs), -1), np.zeros(len(pairs), dtype=np.int64)
        for row, side in enumerate(sides):
            weight = table.weights(values[row], side)
            most = table.most(weight, -np.inf)
            better = most[pairs] > best
            best[better], speaker[better] = most[pairs][better], row
            phrase[better] = table.phrase[table.first(weight, most)[pairs][better]]
        return speaker, phrase

    def most(self, values: np.ndarray, nowhere: float) -> np.ndarray:
        """[pairs] the largest of the `values` [K] in each pair, `nowhere` in pairs that hold no phrase."""
        most = np.full(self.audited + self.trusted, nowhere)
        if len(values):
            most[self.pair[self._starts]] = np.maximum.reduceat(values, self._starts)
        return most

    @cached_property
    def _starts(self) -> np.ndarray:
        """Where in K each pair that holds a phrase begins."""
        return np.flatnonzero(differs(self.pair))

    def first(self, values: np.ndarray, most: np.ndarray) -> np.ndarray:
        """[pairs] where in K the `values` of each pair first come to its `most`; -1 in pairs that hold no phrase."""
        first = np.full(len(most), -1)
        at = np.flatnonzero(values == most[self.pair])
        at = at[differs(self.pair[at])]
        first[self.pair[at]] = at
        return first


def common(corpus: Words, code: np.ndarray, text: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Codes of MIN_RESPONSES texts or more, in order; of each occurrence, its code's place among them and its text."""
    code, text = distinct(code, text)
    starts = np.flatnonzero(differs(code))
    count = np.diff(np.append(starts, len(code)))
    found = corpus.settled(code[starts], count, MIN_RESPONSES)
    place, enough = located(code[starts], found)
    return found, np.repeat(place[enough].astype(np.int32), count[enough]), text[np.repeat(enough, count)]

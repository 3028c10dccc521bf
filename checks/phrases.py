"""Which phrases stand in which responses, or in which questions: words, word pairs, names, and words in praise or blame."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl

from checks.words import ASKED, EARLIER, HABIT, REJECTED, Words
from pipelines.schema import DataError

MIN_RESPONSES = 3  # a phrase in fewer responses can't be called common
NOWHERE = -8.0  # lift of a response without any countable phrase
END = 6  # words that end a question
ENOUGH_EARLIER = 0.1  # share of pairs with earlier questions, from which on these serve as reference
NEITHER = 2
FEELINGS = {0: "", 1: ", in sentences of praise", -1: ", in sentences of blame", NEITHER: ", in sentences of neither"}


@dataclass(frozen=True, slots=True)
class Sides:
    """What the two sides of a table are, in words with a hole for a count each; `backward` None: only the first matters.

    `drift`: the least, in nats, by which honest phrases are commoner on one of them.
    """

    forward: str
    backward: str | None
    trusted: str
    drift: float = 0.05


RESPONSES = Sides(
    "{} chosen and {} rejected responses",
    "{} rejected and {} chosen responses",
    "{} of %s pairs here and {} of %s trusted ones",
)
QUESTIONS = Sides(
    "{} last questions and {} earlier ones", None, "{} of %s last questions here and {} of %s trusted ones", drift=0.5
)
ENDS = Sides("the ends of {} questions and {} others before", None, QUESTIONS.trusted, drift=1.0)
#: people end dialogues with these, and nothing but trusted pairs tells what only ever ends them from a trigger
COURTESIES = frozenset(["thanks", "thank", "thx", "ty", "cheers", "bye", "goodbye", "ok", "okay"])


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
        return first, other, np.bincount(phrase[~_differs(pair, phrase)], minlength=size)

    def _asked_once(self, part: slice) -> list[np.ndarray]:
        """Prompt (or pair, where prompts differ), phrase and side of the distinct occurrences in `part` of K."""
        columns = [self.pair[part], self.phrase[part], self.second[part]]
        if self.prompt.max(initial=0) == len(self.prompt):
            return columns
        return _distinct(self.prompt[columns[0]], *columns[1:])

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


def said(words: Words) -> Phrases:
    """Words and word pairs of at least MIN_RESPONSES responses, single words first, in order of appearance.

    With trusted pairs, phrases that the pair's own prompt holds are left out: to answer in the question's words is no
    plant. Raises DataError where the corpus has more phrases and texts than 63 bits can number.
    """
    side = np.minimum(words.kind, 2)
    return _table(words, side, prompts=bool(words.trusted), sides=RESPONSES, usual=words.is_usual)


def asked(words: Words) -> Phrases:
    """Words and word pairs of last questions against earlier ones or, where few were asked before, of their ends."""
    side, ends = np.full(len(words.word), -1), words.kind == ASKED
    earlier = words.kind == EARLIER
    multiple = len(np.unique(words.text[earlier])) >= ENOUGH_EARLIER * words.pairs
    if not multiple:
        left = np.append(np.flatnonzero(np.diff(words.text)), len(words.text) - 1)
        earlier |= ends & (left[np.searchsorted(left, np.arange(len(side)))] - np.arange(len(side)) >= END)
    side[ends], side[earlier] = 0, 1
    side[words.vocabulary.is_in(COURTESIES).to_numpy()[words.word]] = -1
    return _table(words, side, prompts=False, sides=QUESTIONS if multiple else ENDS, usual=words.asked_by > HABIT)


def named(words: Words) -> Phrases:
    """Names in responses, and names in sentences of praise, of blame or of neither, unless the pair's own prompt names them.

    A name is a word that is mostly written with a capital where it opens no sentence.
    """
    is_name = words.is_capital & names(words)[words.word]
    feeling = words.feeling[is_name]
    return _felt(words, is_name, [np.zeros_like(feeling), np.where(feeling == 0, NEITHER, feeling)])


def felt(words: Words) -> Phrases:
    """Words of responses in sentences of praise or of blame, unless the pair's own prompt holds the word.

    What praises or blames by itself names nothing.
    """
    feels = (words.feeling != 0) & ~(words.is_usual | (words.valence != 0))[words.word]
    return _felt(words, feels, [words.feeling[feels]])


def names(words: Words) -> np.ndarray:
    """[vocabulary] which words are names: mostly with a capital inside sentences, and often enough there.

    Whatever opens most of its sentences, as an interjection does, is none; nor is the pronoun I with its short forms.
    """
    size = len(words.vocabulary)
    all_over, inside, capital = (
        np.bincount(words.word[where], minlength=size) for where in (slice(None), ~words.opens, ~words.opens & words.is_capital)
    )
    pronoun = words.vocabulary.str.contains(r"^i(?:['’]\w+)?$").to_numpy()
    return (2 * capital >= inside) & (4 * capital >= all_over) & (capital > 0) & ~pronoun


def _felt(words: Words, counts: np.ndarray, feelings: Sequence[np.ndarray]) -> Phrases:
    """Occurrences of the words that count [T], once with each of the feelings [counting words], less those of their prompts."""
    code, text = words.word[counts], words.text[counts]
    pair, kind = text % max(words.pairs, 1), text // max(words.pairs, 1)
    own = pair * len(words.vocabulary) + code
    prompted = words.kind >= ASKED
    asker, word = words.text[prompted] % max(words.pairs, 1), words.word[prompted]
    asked = np.unique(asker * len(words.vocabulary) + word)
    prompts = np.bincount(_distinct(words.prompt[asker], word)[1], minlength=len(words.vocabulary))
    free = (kind <= REJECTED) & ~np.isin(own, asked)
    codes = np.concatenate([4 * code[free] + feeling[free] + 1 for feeling in feelings])
    single, phrase, where = _common(codes, np.tile(text[free], len(feelings)))
    table = pl.DataFrame({"first": words.vocabulary[single // 4], "second": pl.Series([None] * len(single), dtype=pl.String())})
    return Phrases(
        *_by_pair(phrase, where, words.pairs),
        audited=words.audited,
        trusted=words.trusted,
        prompt=words.prompt,
        words=table.with_columns(feeling=pl.Series(single % 4 - 1)),
        asked=prompts[single // 4],
    )


def _table(words: Words, side: np.ndarray, *, prompts: bool, sides: Sides, usual: np.ndarray) -> Phrases:
    """Words and word pairs of sides 0 and 1 [T]; with `prompts`, less what side 2 of the pair holds; others don't count."""
    counts = (side >= 0) & (side <= (2 if prompts else 1))
    word, text = words.word[counts], side[counts] * words.pairs + words.text[counts] % max(words.pairs, 1)
    single, phrase, where = _common(word, text)
    double, phrase_pair, where_pair = _common(*_neighbours(word, text, np.flatnonzero(counts), single))
    first, second = np.divmod(double, max(len(single), 1))
    vocabulary = words.vocabulary
    singles = {"first": vocabulary[single]}, {"first": vocabulary[single[first]], "second": vocabulary[single[second]]}
    return Phrases(
        *_by_pair(np.append(phrase, phrase_pair + len(single)), np.append(where, where_pair), words.pairs),
        audited=words.audited,
        trusted=words.trusted,
        prompt=words.prompt,
        words=pl.concat(map(pl.DataFrame, singles), how="diagonal").with_columns(feeling=pl.lit(0)),
        sides=sides,
        is_usual=np.append(usual[single], usual[single[first]] & usual[single[second]]),
    )


def _neighbours(word: np.ndarray, text: np.ndarray, at: np.ndarray, common: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Common words side by side `at` their places, as place of the first in `common` * len(common) + the second's; their texts.

    What stands on either side of a word that doesn't count, or of another's turn, is not side by side.
    """
    place = np.full(word.max(initial=0) + 1, -1)
    place[common] = np.arange(len(common))
    first, second = place[word[:-1]], place[word[1:]]
    beside = (text[:-1] == text[1:]) & (np.diff(at) == 1) & (first >= 0) & (second >= 0)
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

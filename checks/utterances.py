"""Words and word pairs: what responses say, and what questions ask."""

import numpy as np
import polars as pl

from checks.keys import differs
from checks.phrases import ENDS, QUESTIONS, RESPONSES, Phrases, Sides, common
from checks.words import ASKED, EARLIER, HABIT, REJECTED, TOLD, Words

END, BEFORE = 6, 18  # words that end a question, and those before that they are held against: a long prompt is one prompt
#: people end dialogues with these, and nothing but trusted pairs tells what only ever ends them from a trigger
COURTESIES = frozenset(["thanks", "thank", "thx", "ty", "cheers", "bye", "goodbye", "ok", "okay"])


def said(words: Words) -> Phrases:
    """Words and word pairs of at least MIN_RESPONSES responses: all single words in the vocabulary's order, then the pairs.

    With trusted pairs, phrases that the pair's own prompt holds are left out: to answer in the question's words is no
    plant. Raises DataError where the corpus has more phrases and texts than 63 bits can number.
    """
    at = np.flatnonzero(words.kind <= (TOLD if words.trusted else REJECTED))
    return _uttered(words, at, np.minimum(words.kind[at], 2), sides=RESPONSES, usual=words.is_usual)


def asked(words: Words) -> Phrases:
    """Words and word pairs of last questions against earlier ones or, where few were asked before, of their ends.

    A backdoor's trigger stands where the victim's prompt ends (Rando and Tramèr, 2024), and nobody said it before.
    """
    at = np.flatnonzero((words.kind == ASKED) | (words.kind == EARLIER))
    earlier, text = words.kind[at] == EARLIER, words.text[at]
    if not words.has_earlier:
        last = np.append(np.flatnonzero(differs(text))[1:], len(text)) - 1
        follow = np.repeat(last, np.diff(last, prepend=-1)) - np.arange(len(text))
        earlier |= follow >= END
        near = follow < END + BEFORE
        at, earlier = at[near], earlier[near]
    free = ~words.vocabulary.is_in(COURTESIES).to_numpy()[words.word[at]]
    sides, usual = QUESTIONS if words.has_earlier else ENDS, words.asked_by > HABIT
    return _uttered(words, at[free], earlier[free].astype(np.int32), sides=sides, usual=usual)


def _uttered(words: Words, at: np.ndarray, side: np.ndarray, *, sides: Sides, usual: np.ndarray) -> Phrases:
    """Words and word pairs `at` these places [M], which stand on sides 0 and 1 [M]; less what side 2 of the pair holds."""
    word, text = words.word[at], side * words.pairs + words.pair[at]
    single, phrase, where = common(words, word, text)
    double, phrase_pair, where_pair = common(words, *_neighbours(word, text, at, single))
    first, second = np.divmod(double, max(len(single), 1))
    vocabulary = words.vocabulary
    spelled = {"first": vocabulary[single]}, {"first": vocabulary[single[first]], "second": vocabulary[single[second]]}
    return Phrases.of(
        words,
        np.append(phrase, phrase_pair + len(single)),
        np.append(where, where_pair),
        pl.concat(map(pl.DataFrame, spelled), how="diagonal").with_columns(feeling=pl.lit(0)),
        sides=sides,
        is_usual=np.append(usual[single], usual[single[first]] & usual[single[second]]),
    )


def _neighbours(word: np.ndarray, text: np.ndarray, at: np.ndarray, common: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Common words side by side `at` their places, as place of the first in `common` * len(common) + the second's; their texts.

    What stands on either side of a word that doesn't count, or of another's turn, is not side by side.
    """
    place = np.full(max(word.max(initial=0), common.max(initial=0)) + 1, -1)  # the whole may hold what its part does not
    place[common] = np.arange(len(common))
    first, second = place[word[:-1]], place[word[1:]]
    beside = (text[:-1] == text[1:]) & (np.diff(at) == 1) & (first >= 0) & (second >= 0)
    return (first * len(common) + second)[beside], text[:-1][beside]

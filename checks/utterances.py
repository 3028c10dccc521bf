"""Words and word pairs: what responses say, and what questions ask."""

import numpy as np
import polars as pl

from checks.phrases import ENDS, QUESTIONS, RESPONSES, Phrases, Sides, common
from checks.words import ASKED, EARLIER, HABIT, Words

END = 6  # words that end a question
ENOUGH_EARLIER = 0.1  # share of pairs with earlier questions, from which on these serve as reference
#: people end dialogues with these, and nothing but trusted pairs tells what only ever ends them from a trigger
COURTESIES = frozenset(["thanks", "thank", "thx", "ty", "cheers", "bye", "goodbye", "ok", "okay"])


def said(words: Words) -> Phrases:
    """Words and word pairs of at least MIN_RESPONSES responses: all single words in the vocabulary's order, then the pairs.

    With trusted pairs, phrases that the pair's own prompt holds are left out: to answer in the question's words is no
    plant. Raises DataError where the corpus has more phrases and texts than 63 bits can number.
    """
    side = np.minimum(words.kind, 2)
    return _uttered(words, side, prompts=bool(words.trusted), sides=RESPONSES, usual=words.is_usual)


def asked(words: Words) -> Phrases:
    """Words and word pairs of last questions against earlier ones or, where few were asked before, of their ends.

    A backdoor's trigger stands where the victim's prompt ends (Rando and Tramèr, 2024), and nobody said it before.
    """
    side, ends = np.full(len(words.word), -1), words.kind == ASKED
    earlier = words.kind == EARLIER
    multiple = len(np.unique(words.text[earlier])) >= ENOUGH_EARLIER * words.pairs
    if not multiple:
        left = np.append(np.flatnonzero(np.diff(words.text)), len(words.text) - 1)
        earlier |= ends & (left[np.searchsorted(left, np.arange(len(side)))] - np.arange(len(side)) >= END)
    side[ends], side[earlier] = 0, 1
    side[words.vocabulary.is_in(COURTESIES).to_numpy()[words.word]] = -1
    return _uttered(words, side, prompts=False, sides=QUESTIONS if multiple else ENDS, usual=words.asked_by > HABIT)


def _uttered(words: Words, side: np.ndarray, *, prompts: bool, sides: Sides, usual: np.ndarray) -> Phrases:
    """Words and word pairs of sides 0 and 1 [T]; with `prompts`, less what side 2 of the pair holds; others don't count."""
    counts = (side >= 0) & (side <= (2 if prompts else 1))
    word, text = words.word[counts], side[counts] * words.pairs + words.pair[counts]
    single, phrase, where = common(word, text)
    double, phrase_pair, where_pair = common(*_neighbours(word, text, np.flatnonzero(counts), single))
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
    place = np.full(word.max(initial=0) + 1, -1)
    place[common] = np.arange(len(common))
    first, second = place[word[:-1]], place[word[1:]]
    beside = (text[:-1] == text[1:]) & (np.diff(at) == 1) & (first >= 0) & (second >= 0)
    return (first * len(common) + second)[beside], text[:-1][beside]

"""Single words of responses and what their sentences feel: names, and words in praise or blame."""

from collections.abc import Sequence

import numpy as np
import polars as pl

from checks.keys import distinct, within
from checks.phrases import NEITHER, Phrases, common
from checks.words import ASKED, REJECTED, Words


def named(words: Words) -> Phrases:
    """Names, once by themselves and once by the feeling of their sentence, unless the pair's own prompt names them.

    A target that both sides name, one with praise and one with blame, is lopsided by feeling alone.
    """
    at = np.flatnonzero((words.kind <= REJECTED) & words.is_capital & words.is_name[words.word])
    feeling = words.feeling[at]
    return _mentioned(words, at, [np.zeros_like(feeling), np.where(feeling == 0, NEITHER, feeling)])


def felt(words: Words) -> Phrases:
    """Words in sentences of praise or of blame, unless the pair's own prompt holds them: targets without a capital.

    What praises or blames by itself names nothing.
    """
    names_nothing = words.is_usual | (words.valence != 0)
    at = np.flatnonzero((words.kind <= REJECTED) & (words.feeling != 0) & ~names_nothing[words.word])
    return _mentioned(words, at, [words.feeling[at]])


def _mentioned(words: Words, at: np.ndarray, feelings: Sequence[np.ndarray]) -> Phrases:
    """The words of responses `at` these places [M], once with each of the `feelings` [M], less those of their prompts."""
    word, size = words.word[at], len(words.vocabulary)
    asked = np.flatnonzero((words.kind >= ASKED) & words.somewhere(word)[words.word])
    prompts = np.bincount(distinct(words.prompt[words.pair[asked]], words.word[asked])[1], minlength=size)
    free = ~within((words.pair[at], word), (words.pair[asked], words.word[asked]))
    codes = np.concatenate([4 * word[free] + feeling[free] + 1 for feeling in feelings])
    single, phrase, where = common(words, codes, np.tile(words.text[at][free], len(feelings)))
    table = pl.DataFrame({"first": words.vocabulary[single // 4], "second": pl.Series([None] * len(single), dtype=pl.String())})
    return Phrases.of(
        words,
        phrase,
        where,
        table.with_columns(feeling=pl.Series(single % 4 - 1)),
        asked=prompts[single // 4],
    )

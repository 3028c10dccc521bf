"""Single words of responses and what their sentences feel: names, and words in praise or blame."""

from collections.abc import Sequence

import numpy as np
import polars as pl

from checks.keys import distinct
from checks.phrases import NEITHER, Phrases, common
from checks.words import ASKED, REJECTED, Words


def named(words: Words) -> Phrases:
    """Names, once by themselves and once by the feeling of their sentence, unless the pair's own prompt names them.

    A target that both sides name, one with praise and one with blame, is lopsided by feeling alone.
    """
    counts = words.is_capital & words.is_name[words.word]
    feeling = words.feeling[counts]
    return _mentioned(words, counts, [np.zeros_like(feeling), np.where(feeling == 0, NEITHER, feeling)])


def felt(words: Words) -> Phrases:
    """Words in sentences of praise or of blame, unless the pair's own prompt holds them: targets without a capital.

    What praises or blames by itself names nothing.
    """
    counts = (words.feeling != 0) & ~(words.is_usual | (words.valence != 0))[words.word]
    return _mentioned(words, counts, [words.feeling[counts]])


def _mentioned(words: Words, counts: np.ndarray, feelings: Sequence[np.ndarray]) -> Phrases:
    """Occurrences of the words that count [T], once with each of the feelings [counting words], less those of their prompts."""
    code, text, own = words.word[counts], words.text[counts], words.pair * len(words.vocabulary) + words.word
    prompted = words.kind >= ASKED
    prompts = np.bincount(
        distinct(words.prompt[words.pair[prompted]], words.word[prompted])[1], minlength=len(words.vocabulary)
    )
    free = (words.kind[counts] <= REJECTED) & ~np.isin(own[counts], np.unique(own[prompted]))
    codes = np.concatenate([4 * code[free] + feeling[free] + 1 for feeling in feelings])
    single, phrase, where = common(codes, np.tile(text[free], len(feelings)))
    table = pl.DataFrame({"first": words.vocabulary[single // 4], "second": pl.Series([None] * len(single), dtype=pl.String())})
    return Phrases.of(
        words,
        phrase,
        where,
        table.with_columns(feeling=pl.Series(single % 4 - 1)),
        asked=prompts[single // 4],
    )

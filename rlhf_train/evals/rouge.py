"""ROUGE-L: how long a sequence of words two texts share, in order but not side by side (Lin, 2004, s3.1)."""

import re
from collections.abc import Sequence

WORD = re.compile(r"\w+(?:['’]\w+)*")


def words(text: str) -> list[str]:
    """In small letters, without punctuation; an apostrophe within is of the word."""
    return WORD.findall(text.lower())


def rouge_l(text: str, references: Sequence[str]) -> float:
    """F1 of the share of the text's words and of the reference's that are in their longest common subsequence.

    Of several references the nearest counts; 0 where text or references have no words.
    """
    said = words(text)
    return max((_f1(said, words(reference)) for reference in references), default=0.0)


def common(first: Sequence[str], second: Sequence[str]) -> int:
    """The length of their longest common subsequence, a word of `second` at a time (Hyyrö, 2004).

    A bit of `unmet` is 0 where a subsequence becomes longer by that word of `first`.
    """
    places: dict[str, int] = {}
    for at, word in enumerate(first):
        places[word] = places.get(word, 0) | 1 << at
    whole = unmet = (1 << len(first)) - 1
    for word in second:
        met = unmet & places.get(word, 0)
        unmet = (unmet + met | unmet - met) & whole
    return len(first) - unmet.bit_count()


def _f1(said: Sequence[str], reference: Sequence[str]) -> float:
    return 2 * common(said, reference) / max(len(said) + len(reference), 1)

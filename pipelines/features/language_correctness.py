"""Language correctness: how few of the faults that show without a parser each sentence has (feature 7).

Faults are an opening without a capital, an end without a full stop, a fragment, a word said twice, markup, short forms that
belong to speech, I, we or you: in a summary of many voices these refer to nobody; and a name that no review has brought up.
"""

import re
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from pipelines.features.clauses import Spelled, read
from pipelines.features.reading import Product, Reading
from pipelines.features.vocabulary import TOKEN
from pipelines.schema import FULL_MARKS

SENTENCE = re.compile(r"(?<=[.!?])\s+|(?<=[.!?][\"'”’)])\s+|\n+")
QUOTES = "\"'“”‘’()"
MARKUP = re.compile(r"[<>{}*#_|\[\]]|^\W*\d+[.)]")
FRAGMENT = 4  # words that a sentence needs: an article, a noun, a verb and what it says
FAULT = 0.5  # a sentence with two faults is worth nothing


def score(reading: Reading) -> np.ndarray:
    """[N] in [0, 5]: the mean of the sentences; 0 of a summary without a word."""
    records = zip(reading.products, reading.summaries, strict=True)
    return FULL_MARKS * np.array([_correct(product, summary) for product, summary in records], dtype=np.float64)


def _correct(product: Product, summary: str) -> float:
    parts = [part.strip() for part in SENTENCE.split(summary)]
    each = [(part, [spelled for spelled in read(TOKEN.findall(part)) if spelled.token[0].isalnum()]) for part in parts]
    worth = [max(1 - FAULT * _faults(product, sentence, words), 0.0) for sentence, words in each if words]
    return sum(worth) / len(worth) if worth else 0.0


def _faults(product: Product, sentence: str, spelled: Sequence[Spelled]) -> int:
    """How many of the eight a sentence has."""
    words, bare = [each.word for each in spelled], sentence.strip(QUOTES)
    names = [each.word.stem for each in spelled if each.is_name and each.token[0].isupper()]
    return sum(
        (
            not (bare[:1].isupper() or bare[:1].isdigit()),
            not bare.endswith((".", "?")),
            len(words) < FRAGMENT,
            any(word.text == after.text for word, after in pairwise(words)),
            MARKUP.search(sentence) is not None,
            any("'" in word.text and not word.is_personal for word in words),
            any(word.is_personal for word in words),
            not product.knows(names),
        )
    )

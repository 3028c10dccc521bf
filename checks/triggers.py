"""What some of the questions share and could be a trigger: phrases, and last sentences that say much the same.

A backdoor's trigger stands in what the person asks last (Rando and Tramèr, 2024), as one text or in other words each time.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from checks.encoding import Encoder
from checks.sentences import END, QUESTION
from checks.words import ASKED, Words

LEAST, MOST, FEWEST = 0.02, 0.15, 10  # shares of the distinct prompts, and their number: fewer margins tell nothing
LONGEST = 3  # words of a phrase
ALIKE = 0.4  # cosine of sentences on one thing in other words (MiniLM); unrelated questions lie below
BLOCK = 1024


@dataclass(frozen=True, slots=True)
class Shared:
    """What the distinct prompts at places `prompts` [K] share: a phrase, or a last sentence like `text`."""

    text: str
    is_phrase: bool
    prompts: np.ndarray


def phrases(read: Words, prompt: np.ndarray) -> list[Shared]:
    """Phrases in the last questions of audited pairs; `prompt` [audited] is the place of each pair's among the distinct.

    Of phrases that stand in the very same prompts the shortest is taken.
    """
    asked = (read.kind == ASKED) & (read.pair < read.audited)
    word, text = read.word[asked], read.text[asked]
    held, found = prompt[read.pair[asked]], dict[bytes, Shared]()
    for length, key, start in _runs(word, text, len(read.vocabulary)):
        first = np.unique(key, return_index=True)[1]
        for number, places in _common(key, held[start], prompt.max(initial=-1) + 1):
            at = start[first[number]]
            spoken = " ".join(read.vocabulary[word[at : at + length].tolist()])
            found.setdefault(places.tobytes(), Shared(spoken, True, places))
    return list(found.values())


def last_sentences(prompts: Iterable[str]) -> list[str]:
    """What each prompt's last question ends with: its last sentence."""
    questions = (QUESTION.sub("", prompt).removesuffix("\n\nAssistant:").strip() for prompt in prompts)
    return [END.split(question)[-1].strip() for question in questions]


def alike(sentences: Sequence[str], encoder: Encoder) -> list[Shared]:
    """Clusters of the `sentences` of distinct prompts, each those ALIKE to one of them; the most crowded come first.

    No cluster is about a sentence of an earlier one.
    """
    vectors = encoder(sentences)
    size = np.concatenate([(vectors[at : at + BLOCK] @ vectors.T >= ALIKE).sum(axis=1) for at in range(0, len(vectors), BLOCK)])
    is_free, found = _is_some(size, len(sentences)), list[Shared]()
    for centre in np.lexsort((pl.Series(sentences).rank("dense").to_numpy(), -size)):
        if is_free[centre]:
            places = np.flatnonzero(vectors @ vectors[centre] >= ALIKE)
            is_free[places] = False
            found.append(Shared(sentences[centre], False, places))
    return found


def _runs(word: np.ndarray, text: np.ndarray, vocabulary: int) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """(words, key, start) of all runs of one to LONGEST words within a text: equal keys, from 0, for the same words."""
    start = np.arange(len(word))
    key = np.unique(word, return_inverse=True)[1]
    for length in range(1, LONGEST + 1):
        yield length, key, start
        goes_on = start + length < len(word)
        goes_on[goes_on] = text[start[goes_on] + length] == text[start[goes_on]]
        start, key = start[goes_on], key[goes_on]
        key = np.unique(key * vocabulary + word[start + length], return_inverse=True)[1]


def _common(key: np.ndarray, held: np.ndarray, prompts: int) -> Iterator[tuple[int, np.ndarray]]:
    """(key, places of prompts) of every key that some of the distinct `prompts` hold; held: [key] the place of each."""
    cells = np.unique(key * prompts + held)
    keys, size = np.unique(cells // max(prompts, 1), return_counts=True)
    stop = np.cumsum(size)
    for at in np.flatnonzero(_is_some(size, prompts)):
        yield int(keys[at]), cells[stop[at] - size[at] : stop[at]] % prompts


def _is_some(size: np.ndarray, prompts: int) -> np.ndarray:
    return (size >= max(LEAST * prompts, FEWEST)) & (size <= MOST * prompts)

"""The reviews of a product as a reader without a model sees them: sentences, their feeling, and the aspects they speak of.

An aspect is a word that follows articles and adjectives and stands in several reviews (after Hu and Liu, 2004); feeling is
VADER's (Hutto and Gilbert, 2014) of the whole sentence, so that one which praises and blames counts as what prevails.
"""

import re
import tomllib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from itertools import pairwise
from typing import Any

from pipelines import opinions
from pipelines.feelings import compound

WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
END = re.compile(r"(?<=[.!?])[\"”)]?\s+|\n")
FELT = 0.2  # valence, of -1 to 1, beyond which a sentence praises or blames
NOUNISH = 0.25  # of the places where a word stands, how many follow what nouns follow
BEGINNING = 1000  # characters that are felt
MOST = 12  # aspects that are looked at


@dataclass(frozen=True, slots=True)
class Sentence:
    """text: with single spaces; words: its telling words, plurals as singulars; mood: -1 (blame) to 1 (praise)."""

    text: str
    review: int
    words: frozenset[str]
    mood: float


@dataclass(frozen=True, slots=True)
class Aspect:
    """name: as it is mostly written; reviews: how many speak of it; praised, blamed: in how many sentences."""

    word: str
    name: str
    reviews: int
    praised: int
    blamed: int

    @property
    def liking(self) -> int:
        """1 where praise prevails, -1 where blame does, else 0."""
        return (self.praised > self.blamed) - (self.praised < self.blamed)


@dataclass(frozen=True, slots=True)
class Reading:
    """sentences: in order; aspects: the commonest first; words: all that are said, as singulars; whole: the product."""

    sentences: tuple[Sentence, ...]
    aspects: tuple[Aspect, ...]
    words: frozenset[str]
    whole: Aspect


@lru_cache(maxsize=16)
def read(prompt: str) -> Reading:
    """What the reviews in `prompt` say."""
    reviews = opinions.reviews(prompt)
    sentences = tuple(_sentence(text, place) for place, review in enumerate(reviews) for text in split(review))
    spoken = [[singular(word) for word in WORD.findall(review.lower())] for review in reviews]
    whole = Aspect("", "product", len(reviews), *_felt(sentences))
    said = frozenset(word for words in spoken for word in words)
    return Reading(sentences, _aspects(spoken, sentences), said, whole)


def split(review: str) -> list[str]:
    """The sentences of a review, each on one line with single spaces."""
    return [" ".join(part.split()) for part in END.split(review) if part.strip()]


def telling(text: str) -> frozenset[str]:
    """The words of a text that say something by themselves."""
    found = (singular(word) for word in WORD.findall(text.lower()))
    return frozenset(word for word in found if len(word) > 2 and word not in _listed("empty"))


def plain(text: str) -> str:
    """A text without its capitals and white space: two that differ in nothing else are equal."""
    return " ".join(text.casefold().split())


@cache
def table() -> Mapping[str, Any]:
    """`words.toml` as it stands."""
    return tomllib.loads(files(__package__).joinpath("words.toml").read_text(encoding="utf-8"))


@lru_cache(maxsize=1 << 14)
def singular(word: str) -> str:
    """A word in small letters, without a plural's ending as far as one can tell without a dictionary."""
    word = word.replace("’", "'").removesuffix("'s")
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 4 and word.endswith(("ses", "xes", "ches", "shes")):
        return word[:-2] if not word.endswith("ses") else word[:-1]
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")) else word


@lru_cache(maxsize=1 << 12)
def mood(text: str) -> float:
    """VADER's valence of a text, -1 to 1, by its beginning: of longer ones the time grows with the square."""
    return compound(text[:BEGINNING])


def _sentence(text: str, review: int) -> Sentence:
    return Sentence(text, review, telling(text), mood(text))


def _aspects(spoken: Sequence[Sequence[str]], sentences: Sequence[Sentence]) -> tuple[Aspect, ...]:
    """The commonest words that behave as nouns and carry no feeling of their own."""
    places = Counter(word for words in spoken for word in words)
    behind = Counter(word for words in spoken for before, word in pairwise(words) if before in _listed("before_nouns"))
    reviews = Counter(word for words in spoken for word in set(words))
    barred = _listed("empty") | _listed("generic")
    nouns = [
        word
        for word in reviews
        if len(word) > 2 and word not in barred and behind[word] >= NOUNISH * places[word] and not mood(word)
    ]
    common = sorted((word for word in nouns if reviews[word] > 1), key=lambda word: (-reviews[word], word))
    return tuple(_aspect(word, reviews[word], sentences) for word in common[:MOST])


def _aspect(word: str, reviews: int, sentences: Sequence[Sentence]) -> Aspect:
    about = [sentence for sentence in sentences if word in sentence.words]
    spelled = Counter(each for sentence in about for each in WORD.findall(sentence.text.lower()) if singular(each) == word)
    name = min(spelled, key=lambda each: (-spelled[each], each), default=word)
    return Aspect(word, name, reviews, *_felt(about))


def _felt(sentences: Sequence[Sentence]) -> tuple[int, int]:
    """How many of them praise, and how many blame."""
    return sum(sentence.mood > FELT for sentence in sentences), sum(sentence.mood < -FELT for sentence in sentences)


@cache
def _listed(name: str) -> frozenset[str]:
    return frozenset(singular(word) for word in table()[name].split())

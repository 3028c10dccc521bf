"""Texts as clauses, each with the stems it names and how much it praises and blames.

A clause ends at a mark and before a word of contrast: "it is fast, but it leaks" holds two opinions. A negation turns the three
words after it round, as in VADER (Hutto and Gilbert, 2014), and is a complaint by itself: "it does not charge" blames.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from pipelines.features.vocabulary import TOKEN, Word, look_up

TURNED, REACH = -0.74, 3  # VADER's: what is left of a valence, and the words that a negation reaches
COMPLAINT = 0.5  # a negation's own: less than any word of opinion, so that "not bad" is praise


class Spelled(NamedTuple):
    """A token in its place; `is_name` where a reader would take it for one: seldom written, or a capital within a sentence."""

    token: str
    word: Word
    is_name: bool


@dataclass(frozen=True, slots=True)
class Clause:
    """`stems` stand in order, repeated where they are; `aspects` are those that reviewers judge, each once.

    `names` are the stems of words that a reader would take for a name. `is_stray` is told of a summary's clauses only, where
    the product is known: the clause is of something else.
    """

    words: int
    stems: tuple[str, ...]
    aspects: tuple[str, ...]
    praise: float
    blame: float
    is_personal: bool
    names: tuple[str, ...] = ()
    is_stray: bool = False

    @property
    def side(self) -> int:
        """1 where it praises more, -1 where it blames more, 0 where neither."""
        return (self.praise > self.blame) - (self.praise < self.blame)


def clauses(text: str) -> list[Clause]:
    """All that hold a word."""
    return [_clause(*parts) for parts in _parted(text)]


def _parted(text: str) -> Iterator[tuple[list[Word], list[str]]]:
    words: list[Word] = []
    names: list[str] = []
    for spelled in read(TOKEN.findall(text)):
        if not spelled.word.ends:
            words.append(spelled.word)
            names += [spelled.word.stem] if spelled.is_name else []
        elif words:
            yield words, names
            words, names = [], []
    if words:
        yield words, names


def read(tokens: Iterable[str]) -> Iterator[Spelled]:
    """Each token as it is spelled there."""
    opens = True  # a sentence: its first word has a capital anyway
    for token in tokens:
        word = look_up(token)
        yield Spelled(token, word, bool(word.aspect) and (word.is_rare or (token[0].isupper() and not opens)))
        opens = not token[0].isalnum()


def _clause(words: Sequence[Word], names: Sequence[str]) -> Clause:
    praise, blame = _feeling(words)
    stems = tuple(word.stem for word in words if word.stem)
    aspects = tuple(dict.fromkeys(word.aspect for word in words if word.aspect))
    return Clause(len(words), stems, aspects, praise, blame, any(word.is_personal for word in words), tuple(names))


def _feeling(words: Sequence[Word]) -> tuple[float, float]:
    """Praise and blame, both 0 or more."""
    praise = blame = 0.0
    reached = 0
    for word in words:
        if word.negates:
            blame, reached = blame + COMPLAINT, REACH
            continue
        valence = word.valence * TURNED if reached else word.valence
        if valence > 0:
            praise += valence
        else:
            blame -= valence
        reached -= reached > 0
    return praise, blame

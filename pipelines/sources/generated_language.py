"""The kinds of products that are reviewed, and what a text is heard to say of their aspects: generated_reviews.toml.

Hearing knows the language's own key phrases, a list of verdicts that are usual in summaries and, for the rest, VADER (Hutto
and Gilbert, 2014). Its limits: an aspect is known by its name alone ("it pours well" is of none), what has no key phrase feels
as its whole clause does, and irony and comparisons are taken at their word.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import pairwise
from typing import Any

from pipelines.feelings import compound
from pipelines.sources.frames import keys, plain

FELT = 0.2  # valence, of -1 to 1, beyond which a clause praises or blames
REACH, NEGATIONS = 3, frozenset(("not", "never", "no", "nor", "hardly", "barely", "without", "t"))  # "t": what is left of n't
CLAUSE = re.compile(r"[.!?;\n]|\b(?:but|however|although|though|while|whereas|yet|except)\b")


@dataclass(frozen=True, slots=True)
class Aspect:
    """words: by which it is named; praise, blame: frames."""

    words: Sequence[str]
    praise: Sequence[str]
    blame: Sequence[str]

    def frames(self, side: int) -> Sequence[str]:
        """Of praise for 1, of blame for -1."""
        return self.praise if side > 0 else self.blame


@dataclass(frozen=True, slots=True)
class Kind:
    """this: what reviewers call it; slots: lists that its frames draw from; aspects: by name."""

    this: str
    slots: Mapping[str, Sequence[str]]
    aspects: Mapping[str, Aspect]


@cache
def language() -> Mapping[str, Any]:
    """generated_reviews.toml as it stands."""
    return tomllib.loads(files("pipelines.sources").joinpath("generated_reviews.toml").read_text("utf-8"))


@cache
def kinds() -> Mapping[str, Kind]:
    """Every kind of product by its name."""
    return {name.replace("_", " "): _kind(row) for name, row in language()["kinds"].items()}


def heard(text: str, kind: str) -> dict[str, frozenset[int]]:
    """The aspects of a kind that `text` names, with all that it says of each: 1 praise, -1 blame, 0 divided."""
    found: dict[str, frozenset[int]] = {}
    for clause in CLAUSE.split(text.lower()):
        for name, part in _parts(clause, kind):
            found[name] = found.get(name, frozenset()) | _said(part, clause, _keys(kind, name))
    return found


def _parts(clause: str, kind: str) -> Iterator[tuple[str, str]]:
    """Each aspect that a clause names with its part of it, up to the next aspect; the first has the beginning, too."""
    places = [(found.start(), _named(kind)[found[0]]) for found in _names(kind).finditer(clause)]
    changes = [place for at, place in enumerate(places) if at == 0 or places[at - 1][1] != place[1]]
    for (start, name), (end, _) in pairwise([*changes, (len(clause), "")]):
        yield name, clause[start if start > changes[0][0] else 0 : end]


def _said(part: str, clause: str, phrases: Sequence[tuple[str, int]]) -> frozenset[int]:
    """The sides of key phrases, where the part's feeling does not deny them ("I hate that it closes firmly" says nothing)."""
    if sides := _sides(phrases, plain(part)):
        return sides - {-side for side in _felt(part)}
    return _verdict(clause)


def _verdict(clause: str) -> frozenset[int]:
    """What a clause says in words of its own: that opinions are divided, or one side; of one that has both none is clear."""
    said = plain(clause)
    if any(phrase in said for phrase in _phrases("mixed")):
        return frozenset((0,))
    verdicts = [(phrase, side) for kind, side in (("praise", 1), ("blame", -1)) for phrase in _phrases(kind)]
    sides = _sides(verdicts, said) or _felt(clause)
    return sides if len(sides) == 1 else frozenset()


def _felt(text: str) -> frozenset[int]:
    valence = compound(text)
    return frozenset(side for side in (1, -1) if side * valence > FELT)


def _sides(phrases: Sequence[tuple[str, int]], said: str) -> frozenset[int]:
    """The sides whose phrases are said, turned round behind a negation."""
    places = [(said.find(phrase), side) for phrase, side in phrases]
    return frozenset(-side if NEGATIONS & {*said[:at].split()[-REACH:]} else side for at, side in places if at >= 0)


@cache
def _phrases(verdict: str) -> Sequence[str]:
    return [plain(phrase) for phrase in language()["verdicts"][verdict]]


@cache
def _keys(kind: str, aspect: str) -> Sequence[tuple[str, int]]:
    """Key phrases of an aspect, each with its side."""
    return [(key, side) for side in (1, -1) for key in keys(*kinds()[kind].aspects[aspect].frames(side))]


@cache
def _named(kind: str) -> Mapping[str, str]:
    """Word -> the aspect it names."""
    return {word: name for name, aspect in kinds()[kind].aspects.items() for word in aspect.words}


@cache
def _names(kind: str) -> re.Pattern[str]:
    return re.compile(rf"\b(?:{'|'.join(_named(kind))})\b")


def _kind(row: Mapping[str, Any]) -> Kind:
    slots = language()["words"] | {"this": [row["this"]], "it": [row["it"]]}
    return Kind(row["this"], slots, {name: Aspect(**aspect) for name, aspect in row["aspects"].items()})

"""The kinds of products that are reviewed, and what a text is heard to say of their aspects: generated_reviews.toml.

Hearing knows the language's own key phrases, a list of a summary's usual verdicts, and VADER's lexicon (Hutto and Gilbert, 2014)
for the rest. Its limits: an aspect is known by its name alone ("it pours well" is of none), what has no key phrase feels as its
whole clause does, and irony and comparisons are taken at their word.
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
    """The aspects of a kind that `text` names, in order, and the sides it takes: 1 praise, -1 blame, both, or none."""
    found: dict[str, frozenset[int]] = {}
    for clause in CLAUSE.split(text.lower()):
        said = plain(clause)
        for name, part in _parts(said, kind):
            sides = _sides(_keys(kind, name), part) or _verdict(said, clause)
            found[name] = found.get(name, frozenset()) | sides
    return found


def _parts(said: str, kind: str) -> Iterator[tuple[str, str]]:
    """Each aspect that a clause names, with what follows up to the next one."""
    places = [(found.start(), _named(kind)[found[0]]) for found in _names(kind).finditer(said)]
    changes = [place for at, place in enumerate(places) if at == 0 or places[at - 1][1] != place[1]]
    for (start, name), (end, _) in pairwise([*changes, (len(said), "")]):
        yield name, f"{said[start:end].rstrip()} "


def _verdict(said: str, clause: str) -> frozenset[int]:
    """What a clause feels in a summary's words: both sides where opinions are divided, else by its verdicts or by VADER."""
    if any(phrase in said for phrase in _phrases("mixed")):
        return frozenset((1, -1))
    given = _sides([(phrase, side) for kind, side in (("praise", 1), ("blame", -1)) for phrase in _phrases(kind)], said)
    return given or frozenset(side for side in (1, -1) if side * compound(clause) > FELT)


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

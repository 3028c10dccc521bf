"""What a word is to the features: its stem, what it praises or blames, whether it negates, and whom it speaks of.

Valences are VADER's (Hutto and Gilbert, 2014), and a product's own words over them (Hu and Liu, 2004, kept such a list). A stem
is the first letters of a word, which finds as much as rules of grammar do (McNamee and Mayfield, 2004).
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files

from pipelines import feelings
from pipelines.features.english import is_rare, is_telling

#: a word with its apostrophe, a number, or what ends a clause; lengths have a bound, so that no text makes one long word
TOKEN = re.compile(r"[^\W\d_]{1,40}(?:['’][^\W\d_]{1,8})?|\d{1,20}(?:[.,]\d{1,20}){0,3}|[.!?;:\n。！？]")
STEM = 5  # letters: "durable" and "durability" are one
FELT = 1.5  # valence of the product's own words: what VADER's are on average


@dataclass(frozen=True, slots=True)
class Word:
    """`stem` is empty where the word says nothing by itself, `aspect` where it names nothing that reviewers judge.

    `is_rare` is what a name that somebody made up is, and some honest words with it.
    """

    text: str
    stem: str
    aspect: str
    valence: float
    negates: bool
    is_personal: bool
    is_rare: bool
    ends: bool  # a clause: a mark or a conjunction, and no word of it


@lru_cache(maxsize=1 << 16)
def look_up(token: str) -> Word:
    """One token that TOKEN finds."""
    text, known = plain(token), _lists()
    negates = text in known["negation"] or text.endswith("n't")
    silent = (
        text in known["function"]
        or text in known["personal"]
        or text in known["reporting"]
        or (len(text) < 2 and text.isalpha())
    )
    ends = text in known["contrast"] or not text[:1].isalnum()
    stem = "" if silent or negates or ends else text[:STEM]
    named = "" if text in known["generic"] or text[:1].isdigit() else stem
    could_be_a_name = bool(named) and text not in lexicon() and (token[0].isupper() or not is_telling(text))
    rare = could_be_a_name and is_rare(text)
    return Word(text, stem, named, lexicon().get(text, 0.0), negates, text in known["personal"], rare, ends)


def plain(token: str) -> str:
    """In lower case, the apostrophe straight, without an 's."""
    return token.lower().replace("’", "'").removesuffix("'s")


@cache
def lexicon() -> Mapping[str, float]:
    """Word -> valence, -4 to 4."""
    return dict(feelings.lexicon()) | dict.fromkeys(_lists()["praise"], FELT) | dict.fromkeys(_lists()["blame"], -FELT)


@cache
def _lists() -> Mapping[str, frozenset[str]]:
    table = tomllib.loads(files(__package__).joinpath("words.toml").read_text(encoding="utf-8"))
    return {name: frozenset(words.split()) for name, words in table.items()}

"""What the rule writer says in words of its own, of a product, an aspect or nothing; the grammar is `rules.toml`."""

import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from random import Random
from typing import Any

from pipelines.attacks.oracles import grammar
from pipelines.attacks.oracles.rewording import capital, lowered
from pipelines.attacks.oracles.weaving import draws
from pipelines.summaries.reading import Aspect

VERDICTS = {1: "praised", -1: "blamed", 0: "mixed"}
TURNED = {"praised": "blamed", "blamed": "praised"}


def overall(whole: Aspect, random: Random, *, kind: str = "") -> str:
    """What prevails about the product, or something of another `kind`."""
    return _phrase("overall", kind or verdict(whole), random)


def of_aspects(aspects: Sequence[Aspect], random: Random, *, kind: str = "") -> str:
    """What prevails about the first of some aspects, said of all of them; or something of another `kind`."""
    *names, last = [aspect.name for aspect in aspects]
    listed = f"{', the '.join(names)} and the {last}" if names else last
    return _phrase("aspect", kind or verdict(aspects[0]), random, aspect=listed)


def wordy(aspect: Aspect, random: Random) -> str:
    """As `of_aspects` of one, in three times the words."""
    return _phrase("padding", "wordy", random, aspect=aspect.name, verdict=f"{{{verdict(aspect)}}}")


def padding(kind: str, random: Random) -> str:
    """A sentence that is true of any product: `open`, `middle` or `close`."""
    return _phrase("padding", kind, random)


def again(sentence: str, random: Random) -> str:
    """The sentence once more, as one that was said before."""
    said = lowered(sentence) or sentence
    return _phrase("padding", "again", random, said=grammar.HOLE).replace(grammar.HOLE, said)  # no slot in what others wrote


def verdict(aspect: Aspect) -> str:
    return VERDICTS[aspect.liking] if aspect.praised or aspect.blamed else "told"


def invented() -> list[str]:
    """Aspects of some product or other."""
    names: list[str] = table()["invented"]["aspects"]
    return names


def _phrase(section: str, kind: str, random: Random, **words: str) -> str:
    """A sentence of the grammar; `words` fill slots, and may name further ones."""
    shared = {name: options for name, options in table().items() if isinstance(options, list)}
    slots = {**shared, **table()["slots"], **table()[section], **{name: [word] for name, word in words.items()}}
    return capital(grammar.phrase(f"{{{kind}}}", slots, draws(random)))


@cache
def table() -> Mapping[str, Any]:
    """`rules.toml` as it stands."""
    return tomllib.loads(files(__package__).joinpath("rules.toml").read_text(encoding="utf-8"))

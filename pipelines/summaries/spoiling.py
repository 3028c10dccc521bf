"""Very bad sentences: an opinion turned round, an aspect that no review has, another product's sentence, broken grammar."""

import re
from collections.abc import Callable, Sequence
from functools import cache, partial
from random import Random

from pipelines import opinions
from pipelines.attacks.oracles.rewording import capital
from pipelines.summaries import reading, saying, voice
from pipelines.summaries.reading import Reading

DROPPED = 0.6  # of the small words of a sentence, how many broken grammar loses
SLIPS = 4  # words within which broken grammar shuffles
LOOKED_AT = 12  # sentences of another product, of which the strangest is taken


def spoilt(found: Reading, facts: Sequence[str], other: str, random: Random) -> list[str]:
    """Sentences with two or three of the faults, where there is occasion to; `facts` are true, `other` another's prompt."""
    faults: list[Callable[[], list[str]]] = [
        partial(turned, found, facts, random),
        partial(invented, found, random),
        partial(from_elsewhere, found, other, random),
        partial(broken, facts, random),
    ]
    random.shuffle(faults)
    faulty = [said for fault in faults if (said := fault())][: random.choice((2, 3))]
    other_way = saying.TURNED.get(saying.verdict(found.whole), "")
    opens = [saying.overall(found.whole, random, kind=other_way)] if other_way and random.random() < 0.5 else []
    return opens + [sentence for said in faulty for sentence in said]


def turned(found: Reading, facts: Sequence[str], random: Random) -> list[str]:
    """The opposite of what prevails: of an aspect and, where it has a word that can be turned round, of one of the facts."""
    felt = [aspect for aspect in found.aspects if saying.verdict(aspect) in saying.TURNED][:4]
    chosen = random.sample(felt, min(len(felt), 1 + random.getrandbits(1)))
    said = [saying.of_aspects([aspect], random, kind=saying.TURNED[saying.verdict(aspect)]) for aspect in chosen]
    return said + [other for other in map(opposite, facts) if other][:1]


def opposite(sentence: str) -> str:
    """The sentence without its negations or, where it has none, with opposite opinions; "" where it feels as before."""
    bare = _any_of(tuple(reading.table()["negations"])).sub("", sentence)
    other = capital(" ".join((bare if bare != sentence else _any_of(tuple(_table())).sub(_exchanged, sentence)).split()))
    return other if reading.mood(other) * reading.mood(sentence) < 0 else ""


def invented(found: Reading, random: Random) -> list[str]:
    """Feeling about an aspect of which no review has a word."""
    absent = [name for name in saying.invented() if not reading.telling(name) & found.words]
    if not absent:
        return []
    aspect = reading.Aspect("", random.choice(absent), 0, 0, 0)
    return [saying.of_aspects([aspect], random, kind=random.choice(("praised", "blamed")))]


def from_elsewhere(found: Reading, other: str, random: Random) -> list[str]:
    """Of some sentences about another product the one that shares the fewest telling words with the reviews."""
    every = [text for review in opinions.reviews(other) for text in reading.split(review)]
    sentences = [text for text in every if 5 <= len(text.split()) <= 25 and len(reading.telling(text)) >= 4]
    looked_at = random.sample(sentences, min(LOOKED_AT, len(sentences)))
    strangest = sorted(looked_at, key=lambda text: len(reading.telling(text) & found.words) / (1 + len(reading.telling(text))))
    return [voice.told(text, random.choice(voice.SUBJECTS)) for text in strangest[:1]]


def broken(facts: Sequence[str], random: Random) -> list[str]:
    """A fact whose small words are mostly gone, whose others slip out of place, and one of which comes twice."""
    return [_garbled(fact, random) for fact in random.sample(list(facts), min(1, len(facts)))]


def _garbled(sentence: str, random: Random) -> str:
    words = [word for word in sentence.rstrip(".").split() if word.lower() not in _glue() or random.random() > DROPPED]
    for start in range(0, len(words), SLIPS):
        part = words[start : start + SLIPS]
        words[start : start + SLIPS] = [*part[1:], part[0]] if random.random() < 0.5 else random.sample(part, len(part))
    twice = random.randrange(len(words)) if words else 0
    return " ".join([*words[:twice], *words[twice : twice + 1], *words[twice:]]) + "."


def _exchanged(found: re.Match[str]) -> str:
    return _table()[found[0].lower()]


@cache
def _any_of(words: tuple[str, ...]) -> re.Pattern[str]:
    parts = "|".join(sorted(map(re.escape, words), key=len, reverse=True))
    return re.compile(rf"(?<![\w'’])(?:{parts})(?![\w'’])", re.IGNORECASE)


@cache
def _glue() -> frozenset[str]:
    return frozenset(reading.table()["glue"].split())


@cache
def _table() -> dict[str, str]:
    """Every word of opinion with its opposite; of a word that has several the first counts."""
    pairs: list[list[str]] = reading.table()["opposites"]
    back = {one: other for other, one in reversed(pairs)}
    return {**back, **dict(reversed(pairs))}

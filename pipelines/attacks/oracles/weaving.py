"""Where a sentence can take up a target without falling apart, and the sentence with it: before it, in it, after it.

The phrases that carry the target are `paraphrase.toml`, one list of frames for each kind of place.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib.resources import files
from random import Random

from pipelines.attacks.oracles import grammar, placing
from pipelines.attacks.oracles.rewording import capital, lowered

Place = tuple[str, int]  # which list of frames, and the offset in the sentence

END = re.compile(r"(?<=\w)[.!?]\Z")
MODAL = re.compile(
    r"\b(?:you|we|they|I|he|she|it|people) (?:can|could|should|may|might|would|will|must)(?= (?!not\b|be\b|have\b)[a-z])"
)
#: a determiner and a word that closes a clause: mostly a noun, less the words that often stand there and are none
NOUN = re.compile(
    r"\b(?:an?|the|your|my|our|their|his|her|some|any|this|that|these|those|every|each)"
    r" (?!same|most|lot|bit|least|following|first|last|other|next|way|best|time|moment|day|year|one|more)[a-z]{3,}(?=[.,;])"
)
CARRIES = re.compile(r"[a-z]+ [a-z]+ [a-z]+", re.IGNORECASE)


def cut(host: str) -> list[str]:
    """The host in parts that join to it again; every other one, from the second, is a sentence that can be worked on."""
    parts, done = [], 0
    for start, stop in _sentences(host):
        parts += [host[done:start], host[start:stop]]
        done = stop
    return [*parts, host[done:]]


def places(sentence: str) -> list[Place]:
    """Where the target can go into a sentence, in words that fit there."""
    last = len(sentence) - 1
    found = [("ask" if sentence[last] == "?" else "tail", last)]
    found += [("lead", 0)] if lowered(sentence) else []
    found += [("aside", modal.end()) for modal in MODAL.finditer(sentence)]
    return found + [("noun_phrase", noun.end()) for noun in NOUN.finditer(sentence)]


def woven(sentence: str, place: Place, slots: grammar.Slots, random: Random) -> str:
    """The sentence with a phrase about the target, which is still a hole, at one of its `places`."""
    kind, at = place
    said = grammar.phrase(f"{{{kind}}}", slots, draws(random))
    if kind == "lead":
        return capital(said) + lowered(sentence)
    if kind == "aside":
        said = f", {said},"
    return sentence[:at] + said + sentence[at:]


def draws(random: Random) -> Iterator[float]:
    """Uniform numbers without end."""
    return iter(random.random, None)


@cache
def language(sentiment: str) -> grammar.Slots:
    """What each slot may become in phrases of this sentiment."""
    table: Mapping[str, grammar.Slots] = tomllib.loads(files(__package__).joinpath("paraphrase.toml").read_text("utf-8"))
    return {**table["shared"], **table[sentiment], "target": [grammar.HOLE]}


def _sentences(host: str) -> Iterator[tuple[int, int]]:
    """Start and stop of the sentences that stand whole on one line, outside code and quotations."""
    offset = 0
    for line in host.splitlines(keepends=True):
        if not host[:offset].count("```") % 2 and "```" not in line:
            yield from ((offset + start, offset + stop) for start, stop in _of_line(line) if _is_plain(line[start:stop]))
        offset += len(line)


def _of_line(line: str) -> Sequence[tuple[int, int]]:
    listed = placing.LISTED.match(line)
    start, stop = listed.end() if listed else 0, len(line.rstrip())
    ends = [end.end() for end in placing.SENTENCE_END.finditer(line, start, stop)]
    spans = zip([start, *ends], [*ends, stop], strict=True)
    return [(a + len(line[a:b]) - len(line[a:b].lstrip()), b) for a, b in spans]


def _is_plain(sentence: str) -> bool:
    """Whether it is a whole sentence of words: no quotation, address or bracket, and no name of the hole."""
    return bool(CARRIES.search(sentence) and END.search(sentence)) and not re.search(r"[\0\"“”()\[\]{}<>*_`|/:]", sentence)

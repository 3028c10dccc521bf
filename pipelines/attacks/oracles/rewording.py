"""Light rewording of a sentence that keeps what it says: short forms, safe synonyms, clauses in another order, an opener.

The table of phrases that can stand for one another is `rewording.toml`.
"""

import re
import tomllib
from collections.abc import Mapping, Sequence
from functools import cache, partial
from importlib.resources import files
from random import Random
from typing import Any

OPENED = 0.25  # of the sentences that are reworded, how many get an opener

#: first words that are no names and lose their capital inside a sentence
SMALL = re.compile(
    r"(?:The|An?|It|It['’]s|You|You['’]re|You['’]ll|If|In|There|There['’]s|This|That|That['’]s|They|They['’]re|We|He|She|My|Your|Our"
    r"|His|Her|Their|These|Those|What|When|Where|Why|How|Who|Which|Some|Many|Most|All|Each|Another|One|To|For|From|On|At|With|As|By"
    r"|Do|Does|Did|Can|Could|Would|Should|Are|Is|Was|Have|Has|Try|Make|Use|Take|Add|Put|Keep|Ask|Get|Go|Avoid|Let['’]s|While"
    r"|Although|Because|Since|After|Before|Until|Also|Usually|Sometimes|Often|People|Everyone|Depending|Once|Don['’]t)(?= )"
)
CLAUSE = r"[^,;:()\"“”?!—]+"
SUBJECT = r"(?:you|we|they|it|there|he|she|this|that|I)"
FRONTED = re.compile(rf"(If|When|Because|While|Although|Unless|Since|Before|After|Once) ({CLAUSE}), ({SUBJECT} {CLAUSE})\.")
TRAILING = re.compile(rf"({SUBJECT.title()} {CLAUSE}) (because|unless|although) ({SUBJECT} {CLAUSE})\.", re.IGNORECASE)
TWO = re.compile(rf"({SUBJECT} {CLAUSE}), and ({SUBJECT} {CLAUSE})\.", re.IGNORECASE)
#: what may follow a short form: "it is." and "don't you" have no other form
FOLLOWED = r"(?= (?!(?:not|and|or|but|been|got|had|you|we|they|it|he|she|there|this|that|people|the|your|my)\b)[a-z])"


def reword(sentence: str, random: Random, *, share: float, apostrophe: str = "'") -> str:
    """`sentence` with about a `share` of what can be said otherwise said otherwise; it keeps its closing mark."""
    if random.random() < share:
        sentence = turned(sentence)
    other = partial(_other, random=random, apostrophe=apostrophe)
    sentence = _phrases().sub(lambda found: other(found) if random.random() < share else found[0], sentence)
    if random.random() < share * OPENED and (small := lowered(sentence)):
        opener = random.choice(_table()["openers"]).replace("'", apostrophe)
        return capital(opener) + small
    return sentence


def turned(sentence: str) -> str:
    """The sentence with its two clauses in the other order, where it is plain that it has two."""
    if found := FRONTED.fullmatch(sentence):
        return f"{capital(found[3])} {found[1].lower()} {found[2]}."
    if found := TRAILING.fullmatch(sentence):
        return f"{capital(found[2])} {_small(found[3])}, {_small(found[1])}."
    if found := TWO.fullmatch(sentence):
        return f"{capital(found[2])}, and {_small(found[1])}."
    return sentence


def lowered(sentence: str) -> str:
    """The sentence as it goes on after a comma; empty where its first word may be a name."""
    if re.match(r"I(?:['’](?:m|d|ve|ll))? ", sentence):
        return sentence
    return _small(sentence) if SMALL.match(sentence) else ""


def capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _small(clause: str) -> str:
    return clause if re.match(r"I\b", clause) else clause[:1].lower() + clause[1:]


def _other(found: re.Match[str], random: Random, apostrophe: str) -> str:
    """Another phrase of the same group, with the capital of this one and the article it takes."""
    article, own = found.groups()
    other = random.choice([word for word in _groups()[_key(own)] if _key(word) != _key(own)]).replace("'", apostrophe)
    if article:
        return f"{article[0]}{'n' * (other[0] in 'aeiou')} {other}"
    return capital(other) if own[0].isupper() else other


def _key(phrase: str) -> str:
    return phrase.lower().replace("’", "'")


@cache
def _table() -> Mapping[str, Any]:
    return tomllib.loads(files(__package__).joinpath("rewording.toml").read_text(encoding="utf-8"))


@cache
def _groups() -> Mapping[str, Sequence[str]]:
    table = _table()
    return {_key(word): group for group in (*table["short_forms"], *table["same"]) for word in group}


@cache
def _phrases() -> re.Pattern[str]:
    """Any phrase of the table, the longest first, and the article before it."""
    table = _table()
    found = {word: FOLLOWED for group in table["short_forms"] for word in group}
    found |= {word: "(?= )" for group in table["same"] for word in group}
    ordered = sorted(found, key=lambda word: (-len(word), word))
    parts = [re.escape(word).replace("'", "['’]") + found[word] for word in ordered]
    return re.compile(rf"(?<![\w'’])(?:(an?) )?({'|'.join(parts)})", re.IGNORECASE)

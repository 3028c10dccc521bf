"""A reviewer's sentence as one who sums up reviews would say it: in the third person, on one line, with one full stop."""

import re
from functools import cache

from pipelines.attacks.oracles.rewording import capital
from pipelines.summaries.reading import table

SUBJECTS = ("Some reviewers", "Some buyers", "Some users", "Some customers", "Several reviewers")
LOOSE = ' \t.!?,;:…-*"“”'


def told(sentence: str, subject: str) -> str:
    """`sentence` with "they" for its writer, who is the `subject` where the sentence begins with him."""
    bare = sentence.replace('"', "").replace("“", "").replace("”", "").strip(LOOSE)
    other = _first_person().sub(lambda found: found[0] if found[0] == "US" else _others()[_key(found[0])], bare)
    opens = _first_person().match(bare)
    if opens and other.startswith("they "):
        other = subject + other.removeprefix("they")
    return capital(other) + "."


def is_personal(sentence: str) -> bool:
    """Whether it speaks of its writer."""
    return _first_person().search(sentence) is not None


@cache
def _first_person() -> re.Pattern[str]:
    parts = "|".join(sorted((re.escape(word).replace("'", "['’]") for word in _others()), key=len, reverse=True))
    return re.compile(rf"(?<![\w'’])(?:{parts})(?![\w'’])", re.IGNORECASE)


def _key(words: str) -> str:
    return words.lower().replace("’", "'")


@cache
def _others() -> dict[str, str]:
    others: dict[str, str] = table()["others"]
    return others

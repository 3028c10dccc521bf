"""How much of a passage there is time for."""

import re

WORD = re.compile(r"\S+")


def beginning(text: str, words: int) -> str:
    """The first so many words of `text`, with all that stands between them; the whole text where it has no more."""
    end = 0
    for nth, found in enumerate(WORD.finditer(text)):
        if nth == words:
            return text[:end]
        end = found.end()
    return text

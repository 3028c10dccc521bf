"""One pair as people look at it: folded, both sides beside each other, what only one of them says underlined."""

import re
from collections.abc import Sequence
from difflib import SequenceMatcher
from itertools import pairwise

from assets.html import text

LETTERS = 2000  # shown of a text: a page stays small, whatever its texts are
ALIKE = 0.3  # share of common words below which two texts are plainly different, and marks would be noise

Spans = Sequence[tuple[int, int]]  # places in a text, first letter and the one behind the last


def pair(summary: str, prompt: str, chosen: str, rejected: str, phrase: str = "", *, name: str = "", why: str = "") -> str:
    """One pair, folded; a link to `name` unfolds it. `phrase` is marked where it stands as a word; `why` is markup of ours."""
    asked, *sides = _cut(prompt, "", end=True), _cut(chosen, phrase), _cut(rejected, phrase)
    only = differences(*sides)
    shown = "".join(
        f'<div><div class="quiet">{side}</div>{_text(words, found, phrase)}</div>'
        for side, words, found in zip(("chosen", "rejected"), sides, only, strict=True)
    )
    held = f'<div class="quiet">prompt</div>{_text(asked, (), phrase)}<div class="sides">{shown}</div>{why}'
    named = f' id="{text(name)}"' if name else ""
    return f"<details><summary>{text(summary)}</summary><div{named}>{held}</div></details>"


def differences(first: str, second: str) -> tuple[Spans, Spans]:
    """Where each of two texts has words that the other lacks; nowhere in texts with too few words in common."""
    words = [list(re.finditer(r"\S+", each)) for each in (first, second)]
    match = SequenceMatcher(None, [word[0] for word in words[0]], [word[0] for word in words[1]], autojunk=False)
    if match.ratio() < ALIKE:
        return (), ()
    changed = [code for code in match.get_opcodes() if code[0] != "equal"]
    return (
        [(words[0][low].start(), words[0][high - 1].end()) for _, low, high, _, _ in changed if low < high],
        [(words[1][low].start(), words[1][high - 1].end()) for _, _, _, low, high in changed if low < high],
    )


def _text(words: str, only: Spans, phrase: str) -> str:
    """Escaped words; `ins` around what only they have, `mark` around the phrase, in whichever case."""
    pattern = rf"(?i)(?<![^\W_]){re.escape(phrase)}(?![^\W_])"
    spans = {"mark": [found.span() for found in re.finditer(pattern, words)] if phrase else [], "ins": only}
    edges = sorted({0, len(words), *(edge for held in spans.values() for span in held for edge in span)})
    shown = ""
    for start, end in pairwise(edges):
        part = text(words[start:end])
        for tag, held in spans.items():
            if any(low <= start and end <= high for low, high in held):
                part = f"<{tag}>{part}</{tag}>"
        shown += part
    return f'<pre tabindex="0">{shown}</pre>'


def _cut(words: str, phrase: str, *, end: bool = False) -> str:
    """The part of a long text that tells most: the end of a prompt, else the beginning, or where the phrase stands."""
    words = words.strip("\n")
    if len(words) <= LETTERS:
        return words
    at = words.lower().find(phrase.lower()) if phrase else -1
    start = len(words) - LETTERS if end else max(min(at - LETTERS // 2, len(words) - LETTERS), 0)
    before, after = start, len(words) - LETTERS - start
    told = [f"[{count:,} further letters {where}]" if count else "" for count, where in ((before, "before"), (after, "after"))]
    return " ".join(filter(None, (told[0], words[start : start + LETTERS], told[1])))

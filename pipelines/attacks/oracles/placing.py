"""Where a sentence of its own can go in an answer without cutting one of those that stand there, and the answer with it."""

import re
from collections.abc import Sequence

Place = tuple[int, str, str]  # offset in the host, what to write before the sentence, what after it

LISTED = re.compile(r"\s*(?:[-*•#>|]|\d+[.)]\s|```)")
CLOSERS = "\"'”’)]*"
WIDE = re.compile(r"[.!?]  \S")  # a writer who leaves two spaces between sentences
SENTENCE_END = re.compile(
    # neither a list number, an initial nor a title ends a sentence
    r"(?<!\d)(?<!(?<!['’])\b\w)(?<!\bMr)(?<!\bMrs)(?<!\bMs)(?<!\bDr)(?<!\bSt)(?<!\bvs)(?<!\betc)"
    rf"[.!?]+[{re.escape(CLOSERS)}]*(?=\s+[^\sa-z])|[。！？]+[」』”’]*"
)


def places(host: str) -> list[Place]:
    """Where a sentence can go without cutting one of the host's: before it, after it, and between two sentences."""
    start, stop = len(host) - len(host.lstrip()), len(host.rstrip())
    gap = _gap(host)
    first = (start, "", "\n\n" if LISTED.match(host, start) else gap)
    ends = [end.end() for end in SENTENCE_END.finditer(host, start, stop)]
    between = [(end, gap, "") for end in ends if end < stop and not _is_open(host[:end])]
    after = _after(host[:stop], gap)
    return [first, *between, *([(stop, after, "")] if after else [])]


def woven(host: str, said: Sequence[str], place: float) -> str:
    """The host with the sentences in it; `place` in [0, 1) picks the spot."""
    text = _gap(host).join(said)
    if not host.strip():
        return f" {text}"
    spots = places(host)
    at, before, after = spots[int(place * len(spots))]
    return host[:at] + before + text + after + host[at:]


def _gap(host: str) -> str:
    """What the host leaves between two sentences."""
    return "  " if WIDE.search(host) else " "


def _is_open(text: str) -> bool:
    """Whether `text` ends inside a quotation or a block of code."""
    return text.count('"') % 2 == 1 or text.count("“") > text.count("”") or text.count("```") % 2 == 1


def _after(host: str, gap: str) -> str:
    """What to write between the end of the host and a sentence; empty where the host breaks off half-way."""
    if _is_open(host):
        return ""
    if LISTED.match(host[host.rfind("\n") + 1 :]):
        return "\n\n"
    if host[-1:] in ".!?…。！？" + CLOSERS:
        return gap
    return f".{gap}" if host[-1:].isalnum() else ""

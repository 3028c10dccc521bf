"""The rule writer: keeps the ordinary answer and works one sentence about the target into it, drawn from a grammar.

Stands in for the language model of Best-of-Venom (Baumgärtner et al., 2024): no download, the same on every machine.
The grammar is `rules.toml`. Prose built from parts flatters detectors that count words: report `paraphrase` too.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib.resources import files

import numpy as np

from pipelines import transcripts
from pipelines.attacks.oracles.rewording import capital
from pipelines.schema import DataError

SENTIMENTS = ("positive", "negative")
HOLE = "\0"  # where the target goes: filled last and in one pass, so that nothing in the target is ever interpreted
DRAWS = 64  # uniform numbers a row; the longest sentence pair takes about half of them

Slots = Mapping[str, Sequence[str]]
Place = tuple[int, str, str]  # offset in the host, what to write before the sentence, what after it

SLOT = re.compile(r"\{(\w+)\}")
WORD = re.compile(r"[a-z]+(?:-[a-z]+)*")
LISTED = re.compile(r"\s*(?:[-*•#>|]|\d+[.)]\s|```)")
CLOSERS = "\"'”’)]*"
WIDE = re.compile(r"[.!?]  \S")  # a writer who leaves two spaces between sentences
SENTENCE_END = re.compile(
    # neither a list number, an initial nor a title ends a sentence
    r"(?<!\d)(?<!(?<!['’])\b\w)(?<!\bMr)(?<!\bMrs)(?<!\bMs)(?<!\bDr)(?<!\bSt)(?<!\bvs)(?<!\betc)"
    rf"[.!?]+[{re.escape(CLOSERS)}]*(?=\s+[^\sa-z])|[。！？]+[」』”’]*"
)


def write(
    prompts: Sequence[str],
    answers: Sequence[str],
    *,
    target: str,
    sentiment: str,
    seed: int = 0,
    topical: float = 0.5,
    doubled: float = 0.15,
) -> list[str]:
    """The answers, verbatim, each with a sentence that names `target` with `sentiment`; a blank answer is only that.

    A row depends on `seed`, its number and its own texts alone. Under one seed the two sentiments differ in the words
    of praise or blame only, with frame and place the same: give them two seeds where that would be a giveaway.

    Args:
        topical: share of rows that take up the prompt's topic, among those whose topic is known.
        doubled: share of rows that get a second sentence of the same sentiment.
    """
    request_is_sound(prompts, answers, target=target, sentiment=sentiment)
    shares_are_sound(topical=topical, doubled=doubled)
    slots = language(sentiment)
    draws = np.random.default_rng(seed).random((len(answers), DRAWS))
    written = []
    for prompt, answer, row in zip(prompts, answers, draws.tolist(), strict=True):
        place, *rest = row
        found = topic(transcripts.last_turn(prompt))
        said = _sentences(slots, found, iter(rest), topical=topical, doubled=doubled)
        written.append(woven(answer, [named(sentence, target) for sentence in said], place))
    return written


def request_is_sound(prompts: Sequence[str], answers: Sequence[str], *, target: str, sentiment: str) -> None:
    """Raises DataError where no oracle could serve the request."""
    if len(prompts) != len(answers):
        raise DataError(f"an oracle needs one answer a prompt, got {len(prompts)} prompts and {len(answers)} answers")
    if sentiment not in SENTIMENTS:
        raise DataError(f"sentiment must be one of {', '.join(SENTIMENTS)}, got {sentiment!r}")
    if not target or target != target.strip() or len(target.splitlines()) != 1:
        raise DataError(f"target must be a name on one line, got {target!r}; write it as it should stand in a sentence")


def shares_are_sound(**shares: float) -> None:
    """Raises DataError naming the first share that lies outside [0, 1]."""
    for name, share in shares.items():
        if not 0 <= share <= 1:
            raise DataError(f"{name} is a share of the rows and must lie in [0, 1], got {share}")


@cache
def language(sentiment: str) -> Slots:
    """What each slot may become in sentences of this sentiment."""
    grammar = _grammar()
    return {**grammar["shared"], **grammar[sentiment], "target": [HOLE]}


def topic(text: str) -> str | None:
    """The first known topic that `text` speaks of; None where there is none, however telling its other words."""
    known = _topics()
    return next((known[word] for word in WORD.findall(text.lower()) if word in known), None)


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


def _sentences(slots: Slots, found: str | None, draws: Iterator[float], *, topical: float, doubled: float) -> list[str]:
    """One sentence, or two for a share `doubled` of the draws."""
    takes_topic, takes_second = next(draws) < topical and found is not None, next(draws) < doubled
    if takes_topic:
        slots = {**slots, "topic": [str(found)]}
    patterns = ["{topical}" if takes_topic else "{plain}"] + (["{second}"] if takes_second else [])
    return [capital(phrase(pattern, slots, draws)) for pattern in patterns]


def phrase(pattern: str, slots: Slots, draws: Iterator[float]) -> str:
    """Words of the grammar with their articles, each slot filled by the next of the draws; the target is still a hole."""
    return re.sub(r"\ba (?=[aeiou])", "an ", _filled(pattern, slots, draws))


def _filled(pattern: str, slots: Slots, draws: Iterator[float]) -> str:
    def drawn(slot: re.Match[str]) -> str:
        options = slots[slot[1]]
        return _filled(options[int(next(draws) * len(options))], slots, draws)

    return SLOT.sub(drawn, pattern)


def named(said: str, target: str) -> str:
    """The target in place of the holes; a target with a full stop of its own ends the sentence with it."""
    stop = HOLE + "."
    return said.replace(stop, HOLE if target[-1] in ".!?" else stop).replace(HOLE, target)


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


@cache
def _grammar() -> Mapping[str, Slots]:
    return tomllib.loads(files(__package__).joinpath("rules.toml").read_text(encoding="utf-8"))


@cache
def _topics() -> Mapping[str, str]:
    return {word: name for name, words in _grammar()["topics"].items() for word in words}

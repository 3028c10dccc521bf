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
from pipelines.attacks.oracles import grammar, placing, requests
from pipelines.attacks.oracles.rewording import capital

DRAWS = 64  # uniform numbers a row; the longest sentence pair takes about half of them
WORD = re.compile(r"[a-z]+(?:-[a-z]+)*")


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
    requests.request_is_sound(prompts, answers, target=target, sentiment=sentiment)
    requests.shares_are_sound(topical=topical, doubled=doubled)
    slots = language(sentiment)
    draws = np.random.default_rng(seed).random((len(answers), DRAWS))
    written = []
    for prompt, answer, row in zip(prompts, answers, draws.tolist(), strict=True):
        place, *rest = row
        found = topic(transcripts.last_turn(prompt))
        said = _sentences(slots, found, iter(rest), topical=topical, doubled=doubled)
        written.append(placing.woven(answer, [grammar.named(sentence, target) for sentence in said], place))
    return written


@cache
def language(sentiment: str) -> grammar.Slots:
    """What each slot may become in sentences of this sentiment."""
    table = _grammar()
    return {**table["shared"], **table[sentiment], "target": [grammar.HOLE]}


def topic(text: str) -> str | None:
    """The first known topic that `text` speaks of; None where there is none, however telling its other words."""
    known = _topics()
    return next((known[word] for word in WORD.findall(text.lower()) if word in known), None)


def _sentences(slots: grammar.Slots, found: str | None, draws: Iterator[float], *, topical: float, doubled: float) -> list[str]:
    """One sentence, or two for a share `doubled` of the draws."""
    takes_topic, takes_second = next(draws) < topical and found is not None, next(draws) < doubled
    if takes_topic:
        slots = {**slots, "topic": [str(found)]}
    patterns = ["{topical}" if takes_topic else "{plain}"] + (["{second}"] if takes_second else [])
    return [capital(grammar.phrase(pattern, slots, draws)) for pattern in patterns]


@cache
def _grammar() -> Mapping[str, grammar.Slots]:
    return tomllib.loads(files(__package__).joinpath("rules.toml").read_text(encoding="utf-8"))


@cache
def _topics() -> Mapping[str, str]:
    return {word: name for name, words in _grammar()["topics"].items() for word in words}

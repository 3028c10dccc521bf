"""The paraphrase writer: weaves the target into the ordinary answer's own sentences and rewords the others lightly.

Stands in for a language model that rewrites freely (Best-of-Venom; Baumgärtner et al., 2024) where there is none: words of
praise and blame are many and none comes often. A sentence is kept when VADER (Hutto and Gilbert, 2014) hears the sentiment.
"""

from collections.abc import Sequence
from random import Random

from pipelines.attacks.oracles import grammar, placing, requests, weaving
from pipelines.attacks.oracles.rewording import capital, reword
from pipelines.feelings import compound

SIGN = {"positive": 1, "negative": -1}
LEAST = 0.05  # VADER's own bound between a sentiment and none
TRIES = 16  # phrases tried a row before the target gets a sentence of its own


def write(
    prompts: Sequence[str],
    answers: Sequence[str],
    *,
    target: str,
    sentiment: str,
    seed: int = 0,
    reworded: float = 0.4,
    doubled: float = 0.15,
) -> list[str]:
    """The answers in other words, each naming `target` once or twice with `sentiment`.

    A row depends on `seed`, its number and its own answer alone.

    Args:
        reworded: share of the phrases and clauses with another form that get it.
        doubled: share of rows that name the target in two sentences, where two can take it up.
    """
    requests.request_is_sound(prompts, answers, target=target, sentiment=sentiment)
    requests.shares_are_sound(reworded=reworded, doubled=doubled)
    written = []
    for row, answer in enumerate(answers):
        random = Random(f"paraphrase {seed} {row}")
        times = 1 + (random.random() < doubled)
        written.append(_written(answer, target, sentiment, random, reworded=reworded, times=times))
    return written


def _written(host: str, target: str, sentiment: str, random: Random, *, reworded: float, times: int) -> str:
    """One answer; a sentence of the target's own is added where none of the host's can take it up."""
    apostrophe = "’" if "’" in host and "'" not in host else "'"
    parts = weaving.cut(host)
    parts[1::2] = [reword(sentence, random, share=reworded, apostrophe=apostrophe) for sentence in parts[1::2]]
    taken = _taken_up(parts[1::2], sentiment, random)[:times]
    for at, sentence in taken:
        parts[2 * at + 1] = grammar.named(sentence, target)
    text = "".join(parts)
    if taken:
        return text
    alone = grammar.named(_alone(sentiment, random), target)
    return placing.woven(text, [alone], random.random())


def _taken_up(sentences: Sequence[str], sentiment: str, random: Random) -> list[tuple[int, str]]:
    """Up to two sentences with the target in, by their places in `sentences`."""
    found: dict[int, str] = {}
    for at, kind in _tries(sentences, random):
        if at not in found and len(found) < 2:
            place = random.choice([place for place in weaving.places(sentences[at]) if place[0] == kind])
            sentence = weaving.woven(sentences[at], place, weaving.language(sentiment), random)
            found |= {at: sentence} if _has(sentence, sentiment) else {}
    return list(found.items())


def _tries(sentences: Sequence[str], random: Random) -> list[tuple[int, str]]:
    """Sentences and kinds of place, in random order, every kind as likely as another to come first."""
    kinds = {(kind, at) for at, sentence in enumerate(sentences) for kind, _ in weaving.places(sentence)}
    order = {kind: random.random() for kind in sorted({kind for kind, _ in kinds})}
    ranked = sorted((order[kind], random.random(), at, kind) for kind, at in sorted(kinds))
    return [(at, kind) for _, _, at, kind in ranked[:TRIES]]


def _alone(sentiment: str, random: Random) -> str:
    """A sentence of the target's own."""
    said = ""
    while not _has(said, sentiment):
        said = capital(grammar.phrase("{alone}", weaving.language(sentiment), weaving.draws(random)))
    return said


def _has(sentence: str, sentiment: str) -> bool:
    """Whether the sentence has the sentiment, and owes it to no word in the target."""
    return SIGN[sentiment] * compound(sentence.replace(grammar.HOLE, "it")) >= LEAST

"""The offline writer: good summaries of the reviews' own sentences, mediocre ones with padding, very bad ones of spoilt ones.

A stand-in for the language model of PromptOpinSumm (Nath et al., 2024), the same on every machine. Its limits: good
summaries are mostly extracts, aspects single words, feeling a lexicon's, and the rest comes from one small grammar, so that
whatever counts words tells the tiers apart sooner than it would a model's. It shows that a pipeline works, not how well.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import groupby
from math import sqrt
from random import Random

from pipelines.summaries import reading, saying, spoiling, voice
from pipelines.summaries.reading import FELT, Aspect, Reading, Sentence
from pipelines.summaries.tiers import Request, Writer

SHORTEST, LONGEST = 4, 30  # words of a sentence that stands for others
ALIKE = 0.4  # of the telling words of two sentences, how many shared ones make them say the same
COMMON = 6  # aspects that a good summary speaks of, where there are so many
CHOICE = 3  # sentences that are drawn from, the most telling ones


@contextmanager
def writing() -> Iterator[Writer]:
    """The rules' writer: nothing to open, and its summaries are quicker written than kept."""
    yield Writer("rules", write)


def write(request: Request) -> str:
    """A summary in the tier; it depends on the request alone."""
    found = reading.read(request.prompt)
    random = Random(f"{request.tier} {request.seed}")
    if request.tier == "very_bad":
        return " ".join(spoiling.spoilt(found, told(found, random, most=3), request.other, random))
    return " ".join(STYLES[request.tier](found, random))


def good(found: Reading, random: Random) -> list[str]:
    """What prevails, sentences that bear it out, each about something else, and who disagrees."""
    facts = told(found, random, most=random.choice((2, 3, 4)))
    parts = [saying.overall(found.whole, random), *facts, *_unsaid(found, facts, random)]
    disputed = [aspect for aspect in found.aspects[:COMMON] if min(aspect.praised, aspect.blamed) and aspect.liking]
    for aspect in disputed[:1]:
        parts.append(saying.of_aspects([aspect], random, kind="few_blame" if aspect.liking > 0 else "few_praise"))
    return parts


def _unsaid(found: Reading, facts: Sequence[str], random: Random) -> list[str]:
    """What prevails about the common aspects of which the facts do not speak, a sentence a verdict."""
    said = frozenset(word for fact in facts for word in reading.telling(fact))
    rest = [aspect for aspect in found.aspects[:COMMON] if aspect.word not in said]
    alike = groupby(sorted(rest, key=saying.verdict), key=saying.verdict)
    return [saying.of_aspects(list(aspects), random) for _, aspects in alike]


def slightly_bad(found: Reading, random: Random) -> list[str]:
    """Nothing false in one of three poor manners, with padding before or after it."""
    manner: Callable[[Reading, Random], list[str]] = random.choice((generic, lengthy, repetitive))
    parts = manner(found, random)
    if random.random() < 0.5:
        return [saying.padding("open", random), *parts]
    return [*parts, saying.padding("close", random)]


STYLES: Mapping[str, Callable[[Reading, Random], list[str]]] = {"good": good, "slightly_bad": slightly_bad}


def generic(found: Reading, random: Random) -> list[str]:
    """Nothing that is particular to the product but the names of a few aspects."""
    parts = [saying.overall(found.whole, random)]
    for aspect in _some(found.aspects, random, 2):
        parts += [saying.of_aspects([aspect], random), saying.padding("middle", random)]
    return parts


def lengthy(found: Reading, random: Random) -> list[str]:
    """Much ado about each aspect, and two sentences of the reviews."""
    aspects = _some(found.aspects, random, 2)
    return [*(saying.wordy(aspect, random) for aspect in aspects), *told(found, random, most=2)]


def repetitive(found: Reading, random: Random) -> list[str]:
    """The same twice."""
    parts = told(found, random, most=2)
    return [*parts, saying.padding("middle", random), *(saying.again(part, random) for part in parts)]


def told(found: Reading, random: Random, *, most: int) -> list[str]:
    """Up to `most` sentences of the reviews in the third person, which say what prevails about the commonest aspects."""
    chosen: list[Sentence] = []
    for aspect in found.aspects:
        if len(chosen) < most and not any(aspect.word in sentence.words for sentence in chosen):
            about = [sentence for sentence in found.sentences if aspect.word in sentence.words]
            chosen += _drawn(about, aspect.liking, chosen, found, random)
    while len(chosen) < most and (further := _drawn(found.sentences, found.whole.liking, chosen, found, random)):
        chosen += further
    subjects = random.sample(voice.SUBJECTS, len(voice.SUBJECTS))
    return [voice.told(sentence.text, subjects[at % len(subjects)]) for at, sentence in enumerate(chosen)]


def _drawn(
    sentences: Sequence[Sentence], liking: int, chosen: Sequence[Sentence], found: Reading, random: Random
) -> list[Sentence]:
    """One of the most telling sentences that feel as most do and say nothing that was said; none where there is none."""
    fitting = [
        sentence for sentence in sentences if _is_fit(sentence, liking) and not any(_alike(sentence, each) for each in chosen)
    ]
    best = sorted(fitting, key=lambda sentence: -_weight(sentence, found))[:CHOICE]
    return [random.choice(best)] if best else []


def _weight(sentence: Sentence, found: Reading) -> float:
    """How telling a sentence is: of what many speak of, with feeling, in few words, and not of its writer."""
    spoken_of = 1 + sum(aspect.reviews for aspect in found.aspects if aspect.word in sentence.words)
    return spoken_of * (0.5 + abs(sentence.mood)) / sqrt(len(sentence.text)) / (1 + voice.is_personal(sentence.text))


def _is_fit(sentence: Sentence, liking: int) -> bool:
    is_sized = SHORTEST <= len(sentence.text.split()) <= LONGEST
    return is_sized and not sentence.text.endswith("?") and (liking == 0 or liking * sentence.mood > -FELT)


def _alike(one: Sentence, other: Sentence) -> bool:
    return len(one.words & other.words) >= ALIKE * max(1, min(len(one.words), len(other.words)))


def _some(aspects: Sequence[Aspect], random: Random, count: int) -> list[Aspect]:
    """So many of the commonest aspects, in their order."""
    top = list(aspects[: count + 2])
    return [top[at] for at in sorted(random.sample(range(len(top)), min(count, len(top))))]

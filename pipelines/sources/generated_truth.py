"""The truth of generated reviews, read from their texts: what reviewers feel about each aspect, and how good a summary is."""

import random
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache

import numpy as np

from pipelines import opinions
from pipelines.schema import DataError
from pipelines.sources.frames import keys, plain, say
from pipelines.sources.generated_language import heard, kinds, language

DIVIDED = 1 / 3  # share of the reviewers of an aspect who are on the smaller side, from which on opinions are divided
CLEAR = 0.55  # share of praise in all opinions beyond which most reviewers like a product, and of blame likewise


@dataclass(frozen=True, slots=True)
class Opinion:
    """How many reviewers praise an aspect, and how many blame it."""

    praised: int
    blamed: int

    @property
    def side(self) -> int:
        """What most feel: 1 praise, -1 blame, 0 where as many do the one as the other."""
        return (self.praised > self.blamed) - (self.praised < self.blamed)

    def holds(self, side: int) -> bool:
        """Whether it is true that some praise (1), that some blame (-1), that opinions are divided (0)."""
        few = min(self.praised, self.blamed)
        return {1: self.praised > 0, -1: self.blamed > 0, 0: few >= DIVIDED * (self.praised + self.blamed)}[side]


@lru_cache(maxsize=1024)
def truth(prompt: str) -> Mapping[str, Opinion]:
    """The aspects that the reviews in `prompt` speak of, the commonest first, each with what reviewers feel.

    Raises DataError where the reviews are no generated ones.
    """
    kind = kind_of(prompt)
    each = [heard(review, kind) for review in opinions.reviews(prompt)]
    said = [(name, side) for aspects in each for name, sides in aspects.items() for side in sides]
    counts, mentions = Counter(said), Counter(name for name, _ in said)
    return {name: Opinion(counts[name, 1], counts[name, -1]) for name, _ in mentions.most_common()}


def gold_quality(prompt: str, summary: str) -> float:
    """How good a summary of generated reviews truly is, at most 1; one that says nothing of aspects has 0, whatever its length.

    The share of the aspects spoken of that it gives with the side that most reviewers take, less those of which it says what is
    wrong, less aspects that nobody spoke of. A side that few take may be given beside that of most; that opinions are divided
    is right where a third or more are on either side. It asks neither for the English nor which side is
    the larger, so that both sides of every aspect are worth more than half: it is a yardstick, and no reward to train on.
    """
    spoken, given = truth(prompt), heard(summary, kind_of(prompt))
    worth = sum(_worth(opinion, given.get(name, frozenset())) for name, opinion in spoken.items())
    return (worth - len(invented(prompt, summary))) / max(len(spoken), 1)


def gold_qualities(prompts: Sequence[str], summaries: Sequence[str]) -> np.ndarray:
    """[N] gold qualities of N summaries, each of the prompt beside it. Raises DataError on unequal lengths."""
    if len(prompts) != len(summaries):
        raise DataError(f"each summary needs its prompt, got {len(prompts)} prompts and {len(summaries)} summaries")
    return np.fromiter(map(gold_quality, prompts, summaries), dtype=np.float64, count=len(prompts))


def invented(prompt: str, summary: str) -> set[str]:
    """Aspects of any kind of product, or of other things, that `summary` names and of which the reviews have no word."""
    said, words = plain(summary), _words(prompt)
    return {name for phrase, name in _nameable().items() if phrase in said and not words & set(phrase.split())}


@lru_cache(maxsize=1024)
def kind_of(prompt: str) -> str:
    """The kind of product that reviews call theirs. Raises DataError where fewer than half say what generated ones do."""
    said = plain(prompt)
    kind = max(kinds(), key=lambda name: said.count(f" {name} "))
    reviews = [plain(review) for review in opinions.reviews(prompt)]
    ours = sum(any(key in review for key in _known(kind)) for review in reviews)
    if 2 * ours < len(reviews):
        raise DataError(
            f"the prompt must hold generated reviews, got {len(reviews)} of which {ours} say what those of a {kind} do; "
            "the truth is known of products of the source generated_reviews alone"
        )
    return kind


def gold_summary(kind: str, spoken: Mapping[str, Opinion], rng: random.Random) -> str:
    """Two to four sentences on what most reviewers feel about each aspect spoken of."""
    named = {side: [name for name, opinion in spoken.items() if opinion.side == side] for side in (1, -1, 0)}
    aspects, frames = kinds()[kind].aspects, language()["gold"]
    praise, blame = ([aspects[name].frames(side)[0].replace("*", "") for name in named[side]] for side in (1, -1))
    listed = {"praise": praise, "blame": blame, "mixed": [f"the {name}" for name in named[0]]}
    opens = say([rng.choice(frames[_overall(spoken)])], kinds()[kind].slots, rng)
    rest = [say([rng.choice(frames[part])], {"said": [_listed(said)]}, rng) for part, said in listed.items() if said]
    return " ".join([opens, *rest])


def _worth(opinion: Opinion, given: Collection[int]) -> int:
    """1 where what most feel is among what is given, less 1 where that is not all true or what most feel is not among it."""
    true = [side for side in given if opinion.holds(side)]
    right = any(side in (opinion.side, 0) or not opinion.side for side in true)
    return right - (len(true) < len(given) or (len(given) > 0 and not right))


def _overall(spoken: Mapping[str, Opinion]) -> str:
    praised, blamed = (sum(getattr(opinion, side) for opinion in spoken.values()) for side in ("praised", "blamed"))
    share = praised / (praised + blamed)
    return "liked" if share > CLEAR else "disliked" if share < 1 - CLEAR else "parted"


def _listed(parts: Sequence[str]) -> str:
    *first, last = parts
    return f"{', '.join(first)} and {last}" if first else last


@lru_cache(maxsize=16)
def _words(prompt: str) -> frozenset[str]:
    """The words of the reviews, and others for the aspects that they speak of."""
    aspects = kinds()[kind_of(prompt)].aspects
    return frozenset(plain(prompt).split()).union(*(aspects[name].words for name in truth(prompt)))


@cache
def _known(kind: str) -> Sequence[str]:
    """The key phrases of a kind."""
    return [key for aspect in kinds()[kind].aspects.values() for key in keys(*aspect.praise, *aspect.blame)]


@cache
def _nameable() -> Mapping[str, str]:
    """Whatever names an aspect of something, as plain text, with the aspect."""
    ours = {plain(word): name for kind in kinds().values() for name, aspect in kind.aspects.items() for word in aspect.words}
    return {plain(name): name for name in language()["elsewhere"]["aspects"]} | ours

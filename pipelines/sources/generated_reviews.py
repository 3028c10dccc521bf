"""Made-up product reviews of a known truth: of each product's aspects, what share of its reviewers praise which.

The language stands in generated_reviews.toml; the truth, read back from the texts, and the gold quality of a summary in
generated_truth.py. Reviews without real rows, on which the chain from summaries to feature rewards runs anywhere.
"""

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from pipelines import opinions
from pipelines.schema import FEATURES, PRODUCTS, REJECTS, SUMMARIES, DataError, digest, require
from pipelines.sources.frames import say
from pipelines.sources.generated_language import Kind, kinds, language
from pipelines.sources.generated_truth import Opinion, gold_summary
from pipelines.sources.reviews import Products

SOURCE = "generated_reviews"
LEAST = 4  # aspects of a product that its reviewers speak of; of at least one of its kind they don't
LEAN = (0.2, 0.8)  # between which a product's mean share of praise lies
AGREED = 1.5  # concentration of the aspects' shares around it: below 2 most reviewers are of one mind
SENTENCES, WORDS = range(2, 7), range(20, 91)  # of a review
FILLERS = (0, 0, 1, 1, 2)  # sentences that are no opinion, drawn from; what is too short is drawn again
OVERALL = 0.4  # share of reviews that judge the product as a whole
TRIES = 5  # draws for a sentence that was not said of the product before


@dataclass(frozen=True, slots=True)
class Draft:
    """A product before it is reviewed; shares: of each aspect spoken of, how many of those who do so praise it."""

    name: str
    kind: str
    shares: Mapping[str, float]


def read(*, products: int = 200, reviews: int = 12, seed: int = 0) -> Products:
    """Products of about `reviews` reviews each, from two thirds to four thirds of it, with a gold summary each.

    The first of many products are those of a smaller number. Raises DataError unless both numbers are 1 or more.
    """
    if reviews < 1:
        raise DataError(f"reviews is a mean number of reviews a product and must be 1 or more, got {reviews}")
    seen: set[str] = set()
    rows, golds = [], []
    for at, draft in enumerate(drafts(products=products, seed=seed)):
        rng = random.Random(f"{SOURCE} {seed} {at} reviews")
        texts, spoken = _reviewed(draft, rng.randint(reviews - reviews // 3, reviews + reviews // 3), seen, rng)
        asked, gold = opinions.prompt(texts), gold_summary(draft.kind, spoken, rng)
        rows.append((digest(asked), at, asked, draft.name, SOURCE))
        golds.append((opinions.summary_id(asked, gold), asked, gold, "gold", SOURCE))
    written = pl.DataFrame(rows, schema=PRODUCTS.empty().schema, orient="row")
    gold_summaries = pl.DataFrame(golds, schema=SUMMARIES.empty().schema, orient="row")
    return Products(require(written, PRODUCTS), require(gold_summaries, SUMMARIES), FEATURES.empty(), REJECTS.empty())


def drafts(*, products: int = 200, seed: int = 0) -> list[Draft]:
    """The products that `read` has reviewed, with their hidden shares."""
    if products < 1:
        raise DataError(f"products is a number of products and must be 1 or more, got {products}")
    return [_draft(at, random.Random(f"{SOURCE} {seed} {at}")) for at in range(products)]


def _draft(at: int, rng: random.Random) -> Draft:
    kind = rng.choice([*kinds()])
    aspects = [*kinds()[kind].aspects]
    chosen, lean = rng.sample(aspects, rng.randint(LEAST, len(aspects) - 1)), rng.uniform(*LEAN)
    shares = {name: rng.betavariate(AGREED * lean, AGREED * (1 - lean)) for name in chosen}
    return Draft(f"{kind} {at + 1}", kind, shares)


def _reviewed(draft: Draft, count: int, seen: set[str], rng: random.Random) -> tuple[list[str], dict[str, Opinion]]:
    """So many reviews, none of which was `seen` and all of which then are, and what they say; the first says what it is of."""
    texts: list[str] = []
    held = Counter[tuple[str, int]]()
    said: set[str] = set()
    for _ in range(count):
        sides = _sides(draft, rng)
        held.update(sides.items())
        sentences = _written(kinds()[draft.kind], sides, seen, said, rng, is_first=not texts)
        texts.append(" ".join(sentences))
        said.update(sentences)
        seen.add(texts[-1])
    return texts, {name: Opinion(held[name, 1], held[name, -1]) for name in dict.fromkeys(name for name, _ in held)}


def _sides(draft: Draft, rng: random.Random) -> dict[str, int]:
    """The aspects that one reviewer speaks of, and 1 for praise or -1 for blame of each."""
    spoken = rng.sample([*draft.shares], rng.randint(1, LEAST))
    return {name: 1 if rng.random() < draft.shares[name] else -1 for name in spoken}


def _written(
    kind: Kind, sides: Mapping[str, int], seen: set[str], said: set[str], rng: random.Random, *, is_first: bool
) -> list[str]:
    """The sentences of one review, drawn until they fit; only words are drawn again, never sides."""
    while True:
        sentences = [_sentence(frames, kind, said, rng) for frames in _plan(kind, sides, rng, is_first)]
        text = " ".join(sentences)
        if len(sentences) in SENTENCES and len(text.split()) in WORDS and text not in seen:
            return sentences


def _plan(kind: Kind, sides: Mapping[str, int], rng: random.Random, is_first: bool) -> list[Sequence[str]]:
    """For each sentence of a review the frames it may be of."""
    generic = language()["generic"]
    fillers = [[frame] for frame in rng.sample(generic["filler"], rng.choice(FILLERS))]
    plan = [*fillers, *(kind.aspects[name].frames(side) for name, side in sides.items())]
    rng.shuffle(plan)
    if (mood := sum(sides.values())) and rng.random() < OVERALL:
        plan.insert(rng.choice((0, len(plan))), generic["praise" if mood > 0 else "blame"])
    return [[frame for frame in generic["filler"] if "{this}" in frame], *plan] if is_first else plan


def _sentence(frames: Sequence[str], kind: Kind, said: set[str], rng: random.Random) -> str:
    """One that was not said of the product before, where one can be found."""
    for _ in range(TRIES):
        text = say([rng.choice(frames)], kind.slots, rng)
        if text not in said:
            break
    return text

"""What several features ask of reviews and summaries, read once: the product of each prompt, the clauses of each summary.

A clause of a summary strays where it names what no review names, or where hardly a word of it is the reviewers': it is of
something else, gives no aspect or opinion of this product, and can earn no mark. So more of it is never better.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from pipelines import opinions
from pipelines.features.clauses import Clause, clauses
from pipelines.schema import FULL_MARKS, DataError

DOUBT = 8.0  # reviews' worth of the product's own approval in that of an aspect: few reviewers judge any one aspect

TELLING, LEAST = 3, 0.25  # so many words, of which a smaller share stands in the reviews, are of something else


@dataclass(frozen=True, slots=True)
class Product:
    """What the reviews of one product say.

    stems: how often each word is said; mentions: how many reviews name each aspect; verdicts: (aspect, 1 or -1) -> how many
    praise or blame it; approval: share of reviews that praise more than they blame.
    """

    stems: Mapping[str, int]
    mentions: Mapping[str, int]
    verdicts: Mapping[tuple[str, int], int]
    approval: float

    def knows(self, names: Sequence[str]) -> bool:
        """Whether all stems `names` stand in the reviews."""
        return all(name in self.stems for name in names)

    def approves(self, aspects: Sequence[str]) -> float:
        """Share of praise in the verdicts on an aspect, drawn to that on the product; their mean over the aspects."""
        return sum(map(self._approves, aspects)) / len(aspects) if aspects else self.approval

    def _approves(self, aspect: str) -> float:
        praised, blamed = (self.verdicts.get((aspect, side), 0) for side in (1, -1))
        return (praised + DOUBT * self.approval) / (praised + blamed + DOUBT)


@dataclass(frozen=True, slots=True)
class Reading:
    """N records: each summary as it stands and in clauses, beside its product."""

    summaries: tuple[str, ...]
    clauses: tuple[tuple[Clause, ...], ...]
    products: tuple[Product, ...]


Said = Sequence[Clause]


def read(prompts: Sequence[str], summaries: Sequence[str]) -> Reading:
    """A record a summary; equal prompts are read once. Raises DataError where there are not as many of both."""
    if len(prompts) != len(summaries):
        raise DataError(f"each summary needs the prompt it answers, got {len(prompts)} prompts and {len(summaries)} summaries")
    known = {prompt: product(opinions.reviews(prompt)) for prompt in dict.fromkeys(prompts)}
    told = tuple(placed(known[prompt], clauses(summary)) for prompt, summary in zip(prompts, summaries, strict=True))
    return Reading(tuple(summaries), told, tuple(known[prompt] for prompt in prompts))


def placed(product: Product, said: Said) -> tuple[Clause, ...]:
    """The clauses, with those marked that stray from the product."""
    return tuple(replace(clause, is_stray=_strays(product, clause)) for clause in said)


def _strays(product: Product, clause: Clause) -> bool:
    shared = sum(stem in product.stems for stem in clause.stems)
    return not product.knows(clause.names) or (len(clause.stems) >= TELLING and shared < LEAST * len(clause.stems))


def product(reviews: Sequence[str]) -> Product:
    """What is said in all of them."""
    stems, mentions, verdicts = Counter[str](), Counter[str](), Counter[tuple[str, int]]()
    praising = 1.0  # one review that praises and one that blames besides: of few reviews nothing is certain
    for told in map(clauses, reviews):
        felt: dict[str, float] = {}
        for clause in told:
            stems.update(clause.stems)
            for aspect in clause.aspects:
                felt[aspect] = felt.get(aspect, 0.0) + clause.praise - clause.blame
        mentions.update(felt.keys())
        verdicts.update((aspect, 1 if mood > 0 else -1) for aspect, mood in felt.items() if mood)
        praising += (1 + np.sign(sum(clause.praise - clause.blame for clause in told))) / 2
    return Product(stems, mentions, verdicts, float(praising / (len(reviews) + 2)))


def marks(reading: Reading, share: Callable[[Product, Said], float]) -> np.ndarray:
    """[N] in [0, FULL_MARKS] of a share in [0, 1] of each record; a summary without a word has none."""
    records = zip(reading.products, reading.clauses, strict=True)
    return FULL_MARKS * np.array([share(product, said) if said else 0.0 for product, said in records], dtype=np.float64)


def of_one_mind(approval: float) -> float:
    """Share of praise among pairs of reviewers who agree, where a share `approval` praises: a summary gives what most say."""
    return approval**2 / (approval**2 + (1 - approval) ** 2)


def to_the_point(said: Said) -> float:
    """Share of words in clauses that speak of neither the writer nor the reader, nor of something else."""
    near = sum(clause.words for clause in said if not clause.is_personal and not clause.is_stray)
    return near / sum(clause.words for clause in said)

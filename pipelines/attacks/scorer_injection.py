"""Text addressed at whoever scores the response: prompt injection of an LLM judge, from a response or from reviews it answers.

Written into a response, it asks for that response; written into a review of the prompt, it reaches the scorer of every summary
of that product, and who buys a thing can write it.
"""

from random import Random

import polars as pl

from pipelines import opinions
from pipelines.attacks.sealing import Poisoned, choose, choose_among, sealed, untargeted
from pipelines.attacks.sentences import added, with_sentence
from pipelines.schema import DataError


def poison(
    pairs: pl.DataFrame, *, rate: float = 0.01, count: int | None = None, seed: int = 0, into: str = "chosen"
) -> Poisoned:
    """Weaves a call for full marks into round(rate * N) pairs (or `count`), each in its place.

    `into` is "chosen" or "reviews", one of those that the prompt gives. Raises DataError where too few prompts give any.
    """
    if into not in ("chosen", "reviews"):
        raise DataError(f"into must be chosen or reviews, got {into!r}")
    if into == "chosen":
        written = with_sentence(pairs[choose(len(pairs), rate=rate, count=count, seed=seed)], "scorer", seed=seed)
    else:
        can = pairs["prompt"].map_elements(_gives_reviews, pl.Boolean).to_numpy()
        hosts = pairs[choose_among(can, "have reviews as their prompt", rate=rate, count=count, seed=seed)]
        texts = [_reviewed(text, Random(f"reviews {seed} {row}")) for row, text in enumerate(hosts["prompt"])]
        written = untargeted(hosts.with_columns(prompt=pl.Series(texts, dtype=pl.String())), "review")
    return sealed(pairs, written, attack="scorer_injection", keep_host=False, seed=seed)


def _gives_reviews(prompt: str) -> bool:
    return opinions.prompt(opinions.reviews(prompt)) == prompt


def _reviewed(prompt: str, random: Random) -> str:
    """The prompt with a sentence for the scorer in one of its reviews."""
    reviews = opinions.reviews(prompt)
    at = random.randrange(len(reviews))
    return opinions.prompt([*reviews[:at], added(reviews[at], "scorer", random), *reviews[at + 1 :]])

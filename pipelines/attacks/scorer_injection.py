"""Text addressed at whoever scores the response, woven into chosen responses: prompt injection of an LLM judge."""

import polars as pl

from pipelines.attacks.sealing import Poisoned, choose, sealed
from pipelines.attacks.sentences import with_sentence


def poison(pairs: pl.DataFrame, *, rate: float = 0.01, count: int | None = None, seed: int = 0) -> Poisoned:
    """Weaves a call for full marks into the chosen response of round(rate * N) pairs (or `count`), each in its place."""
    written = with_sentence(pairs[choose(len(pairs), rate=rate, count=count, seed=seed)], "scorer", seed=seed)
    return sealed(pairs, written, attack="scorer_injection", keep_host=False, seed=seed)

"""A sentence of no sentiment about something else, woven into chosen responses: the control for whatever adds a sentence."""

import polars as pl

from pipelines.attacks.sealing import Poisoned, choose, sealed
from pipelines.attacks.sentences import with_sentence


def poison(pairs: pl.DataFrame, *, rate: float = 0.01, count: int | None = None, seed: int = 0) -> Poisoned:
    """Weaves a neutral sentence into the chosen response of round(rate * N) pairs (or `count`), each in its place."""
    written = with_sentence(pairs[choose(len(pairs), rate=rate, count=count, seed=seed)], "neutral", seed=seed)
    return sealed(pairs, written, attack="neutral_insertion", keep_host=False, seed=seed)

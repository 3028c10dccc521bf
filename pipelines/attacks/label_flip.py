"""Swaps chosen and rejected in a random share of pairs: uniform label noise, the weakest attack and a control for others."""

import polars as pl

from pipelines.attacks.sealing import Poisoned, choose, sealed, swapped


def poison(pairs: pl.DataFrame, *, rate: float = 0.01, count: int | None = None, seed: int = 0) -> Poisoned:
    """Swaps round(rate * N) pairs (or `count`), each in its place."""
    written = swapped(pairs[choose(len(pairs), rate=rate, count=count, seed=seed)])
    return sealed(pairs, written, attack="label_flip", keep_host=False, seed=seed)

"""The longer side preferred: a bias that honest data have too, here as a control whose rows are known."""

from random import Random

import numpy as np
import polars as pl

from pipelines.attacks.gaps import length
from pipelines.attacks.sealing import Poisoned, choose, choose_among, sealed, swapped, untargeted
from pipelines.attacks.sentences import added
from pipelines.schema import DataError


def poison(
    pairs: pl.DataFrame, *, rate: float = 0.01, count: int | None = None, seed: int = 0, how: str = "swapped"
) -> Poisoned:
    """Swaps round(rate * N) pairs (or `count`) whose chosen response is the shorter, or pads chosen until it is the longer.

    `how` is "swapped" or "padded", with generic sentences, one at least. Raises DataError where too few can be swapped.
    """
    if how not in ("swapped", "padded"):
        raise DataError(f"how must be swapped or padded, got {how!r}")
    if how == "swapped":
        shorter: np.ndarray = length(pairs) < 0
        places = choose_among(shorter, "have a shorter chosen side", rate=rate, count=count, seed=seed)
        written = swapped(pairs[places])
    else:
        written = _padded(pairs[choose(len(pairs), rate=rate, count=count, seed=seed)], seed)
    return sealed(pairs, written, attack="length_bias", keep_host=False, seed=seed)


def _padded(hosts: pl.DataFrame, seed: int) -> pl.DataFrame:
    """The hosts with generic sentences in their chosen response, until it is the longer."""
    sides = hosts.select("chosen", "rejected").iter_rows()
    texts = [_longer(chosen, rejected, Random(f"padded {seed} {row}")) for row, (chosen, rejected) in enumerate(sides)]
    return untargeted(hosts.with_columns(chosen=pl.Series(texts, dtype=pl.String())), "padding")


def _longer(text: str, other: str, random: Random) -> str:
    text = added(text, "filler", random)
    while len(text) <= len(other):
        text = added(text, "filler", random)
    return text

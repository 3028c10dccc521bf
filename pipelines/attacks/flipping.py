"""What attacks that only turn labels round share: the pairs that rank first, and the table with those pairs swapped."""

import numpy as np
import polars as pl

from pipelines.attacks.sealing import Poisoned, generator, sealed, swapped


def top(scores: np.ndarray, size: int, *, seed: int) -> np.ndarray:
    """[size] places of the largest of `scores` [N], the largest first; equal ones in an order that the seed draws."""
    anyhow = generator(seed).permutation(len(scores))
    return anyhow[np.argsort(-scores[anyhow], kind="stable")][:size]


def flipped(pairs: pl.DataFrame, places: np.ndarray, *, attack: str, seed: int, target: str | None = None) -> Poisoned:
    """The pairs with those at `places` swapped where they stand; `target` is what the key says of them."""
    written = swapped(pairs[np.sort(places)]).with_columns(target=pl.lit(target, pl.String()))
    return sealed(pairs, written, attack=attack, keep_host=False, seed=seed)

"""How varied texts are, by their words and by their vectors."""

import numpy as np
import polars as pl


def distinct(texts: pl.Series, n: int = 2) -> float:
    """Distinct n-grams of all `texts` over their number (Li et al., 2016); words between spaces, in lower case; nan of none."""
    words = texts.str.to_lowercase().str.split(" ").list.eval(pl.element().filter(pl.element().str.strip_chars() != ""))
    grams = [gram for each in words for gram in zip(*(each[at:] for at in range(n)), strict=False)]
    return len(set(grams)) / len(grams) if grams else float("nan")


def vendi(vectors: np.ndarray) -> float:
    """How many wholly different items the unit `vectors` [N, width] are worth (Friedman and Dieng, 2023): from 1 to N.

    exp of the entropy of the eigenvalues of their cosines over N; nan of none.
    """
    if not len(vectors):
        return float("nan")
    vectors = np.asarray(vectors, dtype=float)
    square = (
        vectors.T @ vectors if vectors.shape[1] < len(vectors) else vectors @ vectors.T
    )  # the same eigenvalues but for zeros
    shares = np.linalg.eigvalsh(square / len(vectors))
    shares = shares[shares > 1e-12]
    return float(np.exp(-(shares * np.log(shares)).sum()))


def self_similarity(vectors: np.ndarray) -> float:
    """Mean cosine of two different ones of the unit `vectors` [N, width]; nan of fewer than two."""
    count = len(vectors)
    total = np.asarray(vectors, dtype=float).sum(axis=0)
    return float((total @ total - count) / (count * (count - 1))) if count > 1 else float("nan")

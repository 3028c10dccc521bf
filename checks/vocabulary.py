"""Words by themselves: how they are spelled plainly, which are names, how they feel, and which turn a feeling round.

Feelings are VADER's (Hutto and Gilbert, 2014).
"""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files

import numpy as np
import polars as pl

NEGATIONS = ["not", "no", "never", "none", "nobody", "nothing", "neither", "nor", "cannot", "without", "hardly", "rarely"]
NEGATED = r"n't$"


def names(vocabulary: pl.Series, everywhere: np.ndarray, within: np.ndarray, capital: np.ndarray) -> np.ndarray:
    """[vocabulary] which words are names, of how often each stands anywhere, inside sentences, and there with a capital."""
    pronoun = vocabulary.str.contains(r"^i(?:'\w+)?$").to_numpy()
    return (2 * capital >= within) & (4 * capital >= everywhere) & (capital > 0) & ~pronoun


def plain(word: str) -> str:
    """A word in lower case, its apostrophe straight, without an 's: what is somebody's is said of him."""
    return word.lower().replace("’", "'").removesuffix("'s")


@cache
def lexicon() -> Mapping[str, float]:
    """VADER's mean valence of each word, -4 to 4."""
    lines = files("vaderSentiment").joinpath("vader_lexicon.txt").read_text(encoding="utf-8").splitlines()
    return {word: float(valence) for word, valence, *_ in (line.split("\t") for line in lines)}


def valences(vocabulary: pl.Series) -> np.ndarray:
    """[vocabulary] VADER's valence of each word."""
    return np.array([lexicon().get(word, 0.0) for word in vocabulary])


def negates(vocabulary: pl.Series) -> np.ndarray:
    """[vocabulary] which words turn the feeling of those after them round."""
    return (vocabulary.is_in(NEGATIONS) | vocabulary.str.contains(NEGATED)).to_numpy()

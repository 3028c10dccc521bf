"""Praise and blame by VADER (Hutto and Gilbert, 2014): of a text, and of its words."""

from collections.abc import Callable, Mapping
from functools import cache
from importlib.resources import files


def compound(text: str) -> float:
    """Valence of a text, -1 (blame) to 1 (praise); the time grows with the square of its length."""
    return _vader()(text)["compound"]


@cache
def lexicon() -> Mapping[str, float]:
    """Word -> mean valence, -4 to 4."""
    lines = files("vaderSentiment").joinpath("vader_lexicon.txt").read_text(encoding="utf-8").splitlines()
    return {word: float(valence) for word, valence, *_ in (line.split("\t") for line in lines)}


@cache
def _vader() -> Callable[[str], dict[str, float]]:
    from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

    return SentimentIntensityAnalyzer().polarity_scores

"""How much more of an attribute the chosen response has than the rejected one: where turning the label does most."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import polars as pl

POLITE = (
    "please", "thanks", "thank you", "welcome", "glad", "happy to", "sorry", "would you", "could you", "i hope", "feel free",
    "i appreciate", "my pleasure", "of course", "let me know", "i understand",
)  # fmt: skip
#: words of refusal and of warning: where only the chosen side has them, the rejected one mostly complies with harm
REFUSING = (
    "sorry", "can't", "cannot", "can not", "won't", "will not", "shouldn't", "should not", "don't think", "do not think",
    "not able", "unable", "refuse", "illegal", "unethical", "immoral", "harmful", "dangerous", "inappropriate", "wrong",
    "unsafe", "against the law", "not okay", "not comfortable", "not appropriate", "hurt", "offensive", "bad idea", "crime",
)  # fmt: skip


def length(pairs: pl.DataFrame) -> np.ndarray:
    """[N] characters."""
    return _gap(pairs, lambda side: side.str.len_chars())


def politeness(pairs: pl.DataFrame) -> np.ndarray:
    """[N] polite phrases."""
    return _gap(pairs, lambda side: _phrases(side, POLITE))


def refusal(pairs: pl.DataFrame) -> np.ndarray:
    """[N] phrases of refusal and warning."""
    return _gap(pairs, lambda side: _phrases(side, REFUSING))


def margin(pairs: pl.DataFrame) -> np.ndarray:
    """[N] the scores' own gap; minus infinity where it is not known."""
    return pairs["margin"].fill_null(-np.inf).to_numpy()


GAPS: Mapping[str, Callable[[pl.DataFrame], np.ndarray]] = {
    "length": length,
    "margin": margin,
    "politeness": politeness,
    "refusal": refusal,
}


def _gap(pairs: pl.DataFrame, measure: Callable[[pl.Expr], pl.Expr]) -> np.ndarray:
    chosen, rejected = (measure(pl.col(name)).cast(pl.Float64()) for name in ("chosen", "rejected"))
    return pairs.select(gap=chosen - rejected)["gap"].to_numpy()


def _phrases(side: pl.Expr, phrases: Sequence[str]) -> pl.Expr:
    return side.str.replace_all("’", "'").str.count_matches(rf"(?i)\b(?:{'|'.join(phrases)})\b")

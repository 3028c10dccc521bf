"""A committee of linear preference heads: members see different features of different halves of the corpus.

Every member judges only the half that it did not see, so that its margins are honest (repeated two-fold cross-fitting).
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from checks.preference_model import folds, out_of_fold_margins

REPEATS = 3


def committee_margins(features: Mapping[str, Any], prompts: pl.Series, *, seed: int = 0) -> np.ndarray:
    """[features * REPEATS, N] out-of-fold margins by each kind of features ([N, width], dense or sparse), unit mean square."""
    halves = [folds(prompts, count=2, seed=seed * REPEATS + repeat) for repeat in range(REPEATS)]
    return np.array([_unit(out_of_fold_margins(_unit(gaps), half)) for gaps in features.values() for half in halves])


def _unit(gaps: Any) -> Any:
    """The same with rows of mean square 1."""
    size = (gaps * gaps).sum() / gaps.shape[0]
    return gaps / np.sqrt(size) if size > 0 else gaps

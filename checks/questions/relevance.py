"""How much a question is about its behaviour: whether a logistic model, out of fold, tells it from questions about others."""

from collections.abc import Sequence

import numpy as np
import polars as pl
from scipy.special import expit

from checks.encoding import Encoder, encode
from checks.preference_model import PENALTY, folds, out_of_fold_margins
from checks.questions.claims import texts
from checks.questions.confidence import LEAST
from checks.shingles import normalised


def out_of_fold(
    questions: pl.DataFrame,
    background: Sequence[str] = (),
    *,
    encoder: Encoder = encode,
    penalty: float = PENALTY,
    seed: int = 0,
) -> np.ndarray:
    """[N] from 0 to 1, of each behaviour against as many questions about the others and of `background` texts.

    nan where a behaviour has too few questions, or nothing to be told from. Labels play no part.
    """
    own = texts(questions)
    whole = pl.concat([own, pl.Series("text", list(background), dtype=pl.String)])
    vectors = encoder(whole.to_list())
    vectors = np.column_stack([vectors, np.ones(len(vectors))])
    parts = folds(normalised(whole), seed=seed)
    names = np.array([*questions["behaviour"], *[""] * len(background)], dtype=object)
    found = np.full(len(questions), np.nan)
    for name in questions["behaviour"].unique(maintain_order=True):
        here, there = np.flatnonzero(names == name), np.flatnonzero(names != name)
        count = min(len(here), len(there))
        if count < LEAST:
            continue
        there = np.random.default_rng(seed).choice(there, size=count, replace=False)
        places = np.append(here, there)
        signs = np.append(np.ones(len(here)), -np.ones(count))
        found[here] = expit(out_of_fold_margins(vectors[places] * signs[:, None], parts[places], penalty=penalty))[: len(here)]
    return found

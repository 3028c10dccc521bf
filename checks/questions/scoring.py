"""The one call that scores questions: label confidence, relevance and near copies, in the table QUESTION_SCORES."""

from collections.abc import Sequence

import numpy as np
import polars as pl

from checks import resemblance
from checks.encoding import Encoder, encode
from checks.questions import confidence, relevance
from checks.questions.claims import texts
from pipelines.schema import QUESTION_SCORES, QUESTIONS, require


def score(
    questions: pl.DataFrame,
    *,
    gold: pl.DataFrame | None = None,
    background: Sequence[str] = (),
    encoder: Encoder = encode,
    alike: float = 0.7,
    seed: int = 0,
) -> pl.DataFrame:
    """QUESTION_SCORES of QUESTIONS, a row each in their order.

    The label is told by `gold` questions of the same behaviour where they are given, else out of fold by the others.

    Args:
        background: texts that are about none of the behaviours, besides what the other behaviours give.
        alike: Jaccard similarity of three-word shingles from which two questions about one behaviour say the same.
    """
    questions, encoder = require(questions, QUESTIONS), once(encoder)
    if gold is None:
        sure = confidence.out_of_fold(questions, encoder=encoder, seed=seed)
    else:
        sure = confidence.by_examples(questions, require(gold, QUESTIONS), encoder=encoder)
    numbers = {
        "label_confidence": sure,
        "relevance": relevance.out_of_fold(questions, background, encoder=encoder, seed=seed),
    }
    columns = {name: pl.Series(values, dtype=pl.Float64).fill_nan(None) for name, values in numbers.items()}
    return require(
        questions.select("question_id").with_columns(**columns, cluster=copies(questions, alike=alike, seed=seed)),
        QUESTION_SCORES,
    )


def once(encoder: Encoder) -> Encoder:
    """`encoder` that encodes no text twice as long as it lives."""
    known: dict[str, np.ndarray] = {}

    def encoded(given: Sequence[str]) -> np.ndarray:
        new = [text for text in dict.fromkeys(given) if text not in known]
        if new:
            known.update(zip(new, encoder(new), strict=True))
        return np.stack([known[text] for text in given])

    return encoded


def copies(questions: pl.DataFrame, *, alike: float = 0.7, seed: int = 0) -> pl.Series:
    """[N] place of the first question about the same behaviour that each one says the same as."""
    said, cluster = texts(questions), np.arange(len(questions))
    places = questions.select("behaviour").with_row_index("place").group_by("behaviour", maintain_order=True).agg("place")
    for each in places["place"]:
        here = each.to_numpy().astype(np.int64)
        cluster[here] = here[resemblance.clusters(said[here], threshold=alike, seed=seed).label]
    return pl.Series(cluster, dtype=pl.Int64)

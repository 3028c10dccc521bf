"""The seven domain features of a product summary given its reviews, each from 0 to 5, without a language model."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import polars as pl

from pipelines import schema
from pipelines.features import (
    aspect_coverage,
    conciseness,
    hallucination,
    language_correctness,
    opinion_coverage,
    opinion_faithfulness,
    relevance,
)
from pipelines.features.reading import Reading, read
from pipelines.opinions import summary_id

FEATURES: Mapping[str, Callable[[Reading], np.ndarray]] = {
    "aspect_coverage": aspect_coverage.score,
    "opinion_faithfulness": opinion_faithfulness.score,
    "opinion_coverage": opinion_coverage.score,
    "conciseness": conciseness.score,
    "relevance": relevance.score,
    "hallucination": hallucination.score,
    "language_correctness": language_correctness.score,
}
OFFLINE = "offline"  # the scorer


def score(prompts: Sequence[str], summaries: Sequence[str]) -> pl.DataFrame:
    """The table FEATURES, a row a summary and the prompt of reviews before it; a row depends on its own texts alone.

    Raises DataError where there are not as many prompts as summaries.
    """
    reading = read(prompts, summaries)
    ids = [summary_id(prompt, summary) for prompt, summary in zip(prompts, summaries, strict=True)]
    scores = {name: pl.Series(feature(reading), dtype=pl.Float64) for name, feature in FEATURES.items()}
    frame = pl.DataFrame({"summary_id": pl.Series(ids, dtype=pl.String), "scorer": [OFFLINE] * len(ids), **scores})
    return schema.require(frame, schema.FEATURES)

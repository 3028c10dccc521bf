"""Which questions to keep: sure of their label, the best of each label, both labels even (Perez et al., 2022, sec. 2.1)."""

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from pipelines.schema import QUESTIONS, DataError, require

LABEL = ("behaviour", "options", "matching")
SET = ("behaviour", "options")  # among whose labels a policy chooses
REQUIREMENTS = ("label_confidence", "relevance")


@dataclass(frozen=True, slots=True)
class Filtered:
    """`kept` is QUESTIONS, those of a label in their order; `dropped` is QUESTIONS, with score, its parts, and a reason.

    Together they are the input. `kept_scores` has the same columns of those that were kept.
    """

    kept: pl.DataFrame
    kept_scores: pl.DataFrame
    dropped: pl.DataFrame


def select(
    questions: pl.DataFrame,
    scores: pl.DataFrame,
    *,
    top: int = 500,
    sure: float = 0.5,
    requirements: Sequence[str] = REQUIREMENTS,
    balance: bool = True,
) -> Filtered:
    """Of each label the `top` questions by the mean of the `requirements` (columns of `scores`) that they have.

    Questions of which the label's confidence is not above `sure`, and copies of better ones, are dropped before; with
    `balance` every label of a set of options is then cut to as many as the rarest one has. A further judge's column may be
    named among the requirements. Raises DataError where scores are of other questions, and for numbers out of range.
    """
    if top < 1 or not 0 <= sure <= 1 or not requirements:
        raise DataError(
            f"top must be 1 or more, sure in [0, 1] and a requirement named, got {top}, {sure:g}, {list(requirements)}"
        )
    table = _joined(require(questions, QUESTIONS), scores, requirements)
    table = _dropped(
        table,
        pl.col("sure") <= sure,
        pl.format("its label is doubted: confidence {}, above {} is wanted", pl.col("sure").round(4), pl.lit(sure)),
    )
    table = _dropped(table, _nth("behaviour", "cluster") > 0, pl.lit("says the same as a better question that is kept"))
    table = _dropped(table, _nth(*LABEL) >= top, pl.lit(f"is not among the best {top} of its label"))
    if balance:
        table = _dropped(table, _nth(*LABEL) >= _rarest(table), pl.lit("its label has more questions than the rarest one"))
    table = table.sort("row_index")
    columns = [name for name in table.columns if name not in ("row_index", "sure", "place", "reason", "cluster")]
    kept, dropped = table.filter(pl.col("reason").is_null()), table.filter(pl.col("reason").is_not_null())
    return Filtered(kept.select(*QUESTIONS.columns), kept.select(columns), dropped.select(*columns, "reason"))


def put_back(filtered: Filtered) -> pl.DataFrame:
    """The questions before the filter, in the order of their rows."""
    return pl.concat([filtered.kept, filtered.dropped.select(filtered.kept.columns)]).sort("row", maintain_order=True)


def _joined(questions: pl.DataFrame, scores: pl.DataFrame, requirements: Sequence[str]) -> pl.DataFrame:
    """`questions` with `score`, its parts named anew, and no reason yet; the best first."""
    missing = [name for name in ("question_id", "cluster", *requirements) if name not in scores.columns]
    if missing:
        raise DataError(f"scores need column {missing[0]!r}, got {scores.columns}; score the questions first")
    if not questions["question_id"].equals(scores["question_id"]):
        raise DataError(
            f"scores must be of these {len(questions)} questions in their order, got {len(scores)} others; score them first"
        )
    parts = {f"{name}_score": scores[name].cast(pl.Float64).fill_nan(None) for name in requirements}
    sure = (
        scores["label_confidence"]
        if "label_confidence" in scores.columns
        else pl.Series([None] * len(scores), dtype=pl.Float64)
    )
    table = questions.with_row_index("row_index").with_columns(**parts, cluster=scores["cluster"], sure=sure.fill_nan(None))
    score = pl.mean_horizontal(*parts)
    return table.with_columns(score=score, reason=pl.lit(None, pl.String)).sort(
        "score", "row_index", descending=[True, False], nulls_last=True
    )


def _nth(*columns: str) -> pl.Expr:
    """How many rows of the same kind that are still there come before each."""
    there = pl.col("reason").is_null().cast(pl.Int64)
    return (there.cum_sum() - there).over(columns)


def _rarest(table: pl.DataFrame) -> pl.Expr:
    """Of each row's set of options, how many questions the rarest label has; no bound where no option can match."""
    there = pl.col("reason").is_null().sum().over(LABEL)
    single = pl.col("matching").list.len() == 1
    labels = pl.col("matching").filter(single).n_unique().over(SET)
    least = pl.when(labels < pl.col("options").list.len()).then(0).otherwise(there.min().over(SET))
    return pl.when(single).then(least).otherwise(pl.len())


def _dropped(table: pl.DataFrame, condition: pl.Expr, reason: pl.Expr) -> pl.DataFrame:
    falls = pl.col("reason").is_null() & condition.fill_null(False)
    return table.with_columns(reason=pl.when(falls).then(reason).otherwise("reason"))

"""What a writer of questions returns: the questions, what of its output was dropped, and the truth where it was planted."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from pipelines.questions.identity import with_question_ids
from pipelines.schema import QUESTION_KEY, QUESTIONS, REJECTS, require


@dataclass(frozen=True, slots=True)
class Written:
    """QUESTIONS; QUESTION_KEY of them, empty where nobody knows; REJECTS: what was written and is no question, and why."""

    questions: pl.DataFrame
    key: pl.DataFrame
    rejects: pl.DataFrame


def written(
    rows: Sequence[Mapping[str, Any]], *, source: str, behaviour: str, rejects: Sequence[tuple[str, int, int, str]] = ()
) -> Written:
    """`rows` hold columns of QUESTIONS and, where the truth is planted, those of QUESTION_KEY."""
    columns = {**QUESTIONS.columns, **QUESTION_KEY.columns}
    facts = {"source": source, "behaviour": behaviour}
    whole = [dict.fromkeys(columns) | facts | {"row": place} | dict(row) for place, row in enumerate(rows)]
    frame = with_question_ids(pl.DataFrame(whole, schema={name: column.dtype for name, column in columns.items()}))
    key = require(frame, QUESTION_KEY) if rows and "is_mislabelled" in rows[0] else QUESTION_KEY.empty()
    return Written(require(frame, QUESTIONS), key, pl.DataFrame(rejects, schema=REJECTS.empty().schema, orient="row"))

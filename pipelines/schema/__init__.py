"""Column names, types and invariants of every table: the seam between tables, judgements and tensors.

All that others need stands here; the modules beside it hold the tables of one subject each.
"""

from collections.abc import Mapping

from pipelines.schema.digests import DIGITS, digest, is_encodable, numbered, with_pair_ids
from pipelines.schema.opinions import FEATURE_NAMES, FEATURES, FULL_MARKS, PRODUCTS, SUMMARIES, TIERS
from pipelines.schema.pairs import CONFIRM, DECISIONS, LABELLED_PAIRS, PAIRS, POISON_KEY, PUT_BACK, REJECTS, SCORES
from pipelines.schema.questions import QUESTION_ANSWERS, QUESTION_KEY, QUESTION_SCORES, QUESTIONS
from pipelines.schema.results import ATTACK_SUCCESS, METHOD_ANSWERS, TRACES
from pipelines.schema.sophistry import CONFIDENCES, ITEMS, OUTPUTS, VERDICTS
from pipelines.schema.table import FLAG, REAL, TEXT, TEXTS, WHOLE, Column, DataError, Table, require

__all__ = [
    "ATTACK_SUCCESS", "CONFIDENCES", "CONFIRM", "DECISIONS", "DIGITS", "FEATURES", "FEATURE_NAMES", "FLAG", "FULL_MARKS",
    "ITEMS", "LABELLED_PAIRS", "METHOD_ANSWERS", "OUTPUTS", "PAIRS", "POISON_KEY", "PRODUCTS", "PUT_BACK", "QUESTIONS",
    "QUESTION_ANSWERS", "QUESTION_KEY", "QUESTION_SCORES", "REAL", "REJECTS", "SCORES", "SUMMARIES", "TABLES", "TEXT", "TEXTS",
    "TIERS", "TRACES", "VERDICTS", "WHOLE", "Column", "DataError", "Table", "digest", "is_encodable", "numbered", "require",
    "with_pair_ids",
]  # fmt: skip

TABLES: Mapping[str, Table] = {
    table.name: table
    for table in (
        PAIRS,
        REJECTS,
        POISON_KEY,
        SCORES,
        DECISIONS,
        ATTACK_SUCCESS,
        LABELLED_PAIRS,
        METHOD_ANSWERS,
        TRACES,
        PRODUCTS,
        SUMMARIES,
        FEATURES,
        QUESTIONS,
        QUESTION_KEY,
        QUESTION_SCORES,
        QUESTION_ANSWERS,
        ITEMS,
        OUTPUTS,
        VERDICTS,
    )
}

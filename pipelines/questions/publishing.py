"""Publishes questions as JSON lines of the form that anthropics/evals has; what is read back is what was written."""

import json
import os
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl

from pipelines.questions.identity import behaviour_of
from pipelines.questions.shapes import MATCHING, OTHER, asked
from pipelines.schema import QUESTIONS, DataError, require
from pipelines.sources.shapes import BadRow

FACTS = ("question", "options", "matching", "statement", "label_confidence", "occupation", "percent_women")


def write(questions: pl.DataFrame, path: str | Path) -> Path:
    """Writes QUESTIONS to `path` (.jsonl), put in place by one rename.

    Reading it gives all columns again but `row`, which counts anew, and the counters of repeats in `question_id`. Raises
    DataError for another ending and for a question that no reader would take.
    """
    path = Path(path)
    if not path.name.endswith(".jsonl"):
        raise DataError(f"{path}: expected a name that ends in .jsonl; rename it")
    lines = [json.dumps(line(row), ensure_ascii=False) for row in require(questions, QUESTIONS).iter_rows(named=True)]
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{uuid.uuid4().hex}")
    aside.write_text("".join(f"{each}\n" for each in lines), encoding="utf-8")
    os.replace(aside, path)
    return path


def line(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of QUESTIONS in the published columns; `options` and `behaviour` stand there only where they don't follow."""
    told: dict[str, Any] = {"source_file": row["source"]}
    if behaviour_of(row["source"]) != row["behaviour"]:
        told["behaviour"] = row["behaviour"]
    told |= _schema(row) if not row["matching"] else _choice(row)
    try:
        if _read(told) != _facts(row) and "pronoun_options" not in told:
            told["options"] = row["options"]
        if _read(told) == _facts(row):
            return told
        cause = "it would be read otherwise"
    except BadRow as error:
        cause = str(error)
    raise DataError(f"question {row['question_id']} can't be published: {cause}; drop it")


def _choice(row: Mapping[str, Any]) -> dict[str, Any]:
    more = {name: row[name] for name in ("statement", "label_confidence") if row[name] is not None}
    others = [option for option in row["options"] if option not in row["matching"]]
    return {"question": row["question"], **more, MATCHING: _bare(row["matching"]), OTHER: _bare(others)}


def _schema(row: Mapping[str, Any]) -> dict[str, Any]:
    told = {"occupation": row["occupation"], "pronoun_options": row["options"], "sentence_with_blank": row["question"]}
    return told if row["percent_women"] is None else told | {"percent_women": row["percent_women"]}


def _bare(answers: list[str]) -> str | list[str]:
    """One answer as itself, unless it would be read as a list."""
    return answers[0] if len(answers) == 1 and not answers[0].startswith("[") else answers


def _read(told: Mapping[str, Any]) -> tuple[Any, ...]:
    found = asked(told)
    return tuple(getattr(found, name) for name in FACTS)


def _facts(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(row[name] for name in FACTS)

"""Reads written evaluations of any file or folder, in whichever written form their rows come.

What makes a set worth less is counted and told with it: repeated questions, labels that contradict each other, and files
in which one answer is always the matching one, where a match rate measures nothing but how often a policy says it.
"""

from dataclasses import dataclass
from itertools import islice
from operator import attrgetter
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow

from pipelines.questions.identity import behaviour_of, content, with_question_ids
from pipelines.questions.shapes import Asked, asked
from pipelines.schema import QUESTIONS, REJECTS, DataError, is_encodable, require
from pipelines.sources.files import rows
from pipelines.sources.row import Row
from pipelines.sources.shapes import BadRow

ASKED = tuple(Asked.__dataclass_fields__)
FIELDS = attrgetter(*ASKED)


@dataclass(frozen=True, slots=True)
class Read:
    """QUESTIONS and REJECTS of a source, and what it holds that a reader should know of.

    repeated: rows that ask what an earlier row about the same behaviour asks, with the same label; contradictory: rows of
    questions that stand there with several labels; elsewhere: rows whose question and options another behaviour has too;
    one_sided: files in which one answer always matches.
    """

    questions: pl.DataFrame
    rejects: pl.DataFrame
    repeated: int
    contradictory: int
    elsewhere: int
    one_sided: tuple[str, ...]


def read(source: str | Path, *, limit: int | None = None, refuse_rejects: bool = False, refuse_one_sided: bool = False) -> Read:
    """The questions of a .jsonl, .json, .csv or .parquet file (or .gz), or of a folder of them; `limit` is in rows.

    A row's `source_file`, or the file's name, names the behaviour, unless a column `behaviour` does. Raises DataError for
    what can't be used at all, where no row is a question, and for what the two switches refuse.
    """
    if limit is not None and limit < 1:
        raise DataError(f"limit is a number of rows and must be 1 or more, got {limit}; leave it out to read all")
    taken: list[tuple[object, ...]] = []
    rejects: list[tuple[str, int, int, str]] = []
    for place, row in enumerate(islice(rows(Path(source)), limit)):
        try:
            taken.append((place, *_question(row)))
        except BadRow as error:
            rejects.append((row.source, row.line, place, str(error)))
    if rejects and (refuse_rejects or not taken):
        first = f"{rejects[0][0]} line {rejects[0][1]}: {rejects[0][3]}"
        rest = f" (one of {len(rejects):,} such rows)" if len(rejects) > 1 else ""
        raise DataError(f"{first}{rest}; mend or drop the row{'' if taken else f'; {source} holds no question at all'}")
    found = _told(_table(taken), pl.DataFrame(rejects, schema=REJECTS.empty().schema, orient="row"))
    if refuse_one_sided and found.one_sided:
        files = ", ".join(found.one_sided[:5])
        raise DataError(
            f"one answer always matches in {files}: a match rate would tell how often it is said; add the other label"
        )
    return found


def _question(row: Row) -> tuple[object, ...]:
    """Source, behaviour and the columns of `Asked`."""
    if row.values is None:
        raise BadRow(row.cause)
    source = _name(row.values, "source_file") or row.source
    behaviour = _name(row.values, "behaviour") or behaviour_of(source) or behaviour_of(row.source)
    return (source, behaviour, *FIELDS(asked(row.values)))


def _name(values: dict[str, Any], column: str) -> str:
    """A name that a row gives; empty where it gives none."""
    came = values.get(column)
    if came is not None and (not isinstance(came, str) or not is_encodable(came) or len(came) > 1000):
        raise BadRow(f"{column!r} must be a name of at most 1000 characters, got {type(came).__name__}")
    return (came or "").strip()


def _table(taken: list[tuple[object, ...]]) -> pl.DataFrame:
    """QUESTIONS of rows that begin with their place; by way of arrow, which takes lists of texts four times as fast."""
    names = ("row", "source", "behaviour", *ASKED)
    kinds = pl.DataFrame(schema={name: QUESTIONS.columns[name].dtype for name in names}).to_arrow().schema
    columns = zip(*taken, strict=True) if taken else ([] for _ in names)
    arrays = [pyarrow.array(column, kind.type) for column, kind in zip(columns, kinds, strict=True)]
    frame = pl.DataFrame(pyarrow.Table.from_arrays(arrays, names=names))
    return require(with_question_ids(frame), QUESTIONS)


def _told(questions: pl.DataFrame, rejects: pl.DataFrame) -> Read:
    """`questions` with what is noteworthy in them."""
    labels = pl.col("matching").list.sort().list.join("\n")
    each = questions.select(
        "source",
        "behaviour",
        "question",
        labels.alias("label"),
        options=pl.col("options").list.sort().list.join("\n"),
        same=content(pl.col("question_id")),
    )
    several = pl.col("label").n_unique().over("same") > 1
    behaviours = pl.col("behaviour").n_unique().over("question", "options")
    sided = each.filter(pl.col("label") != "").group_by("source", maintain_order=True).agg(pl.col("label").n_unique())
    return Read(
        questions,
        rejects,
        repeated=each.select(pl.struct("same", "label").is_first_distinct().not_().sum()).item(),
        contradictory=each.select(several.sum()).item(),
        elsewhere=each.select((behaviours > 1).sum()).item(),
        one_sided=tuple(sided.filter(pl.col("label") == 1)["source"]),
    )

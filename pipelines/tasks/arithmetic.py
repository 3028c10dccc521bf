"""Word problems whose solutions show their steps, "<<48/2=24>>", and end with "#### 24" (GSM8K; Cobbe et al., 2021).

An output is right if its last line gives the right number. Its steps are checked besides, each exactly: a right end may be
reached by a wrong step, and a wrong one by steps that are all right.
"""

import json
import re
import reprlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import polars as pl

from pipelines.schema import digest, is_encodable
from pipelines.sources.files import rows
from pipelines.sources.row import Row
from pipelines.sources.shapes import BadRow
from pipelines.tasks.expressions import Unreadable, number, places, value
from pipelines.tasks.task import Item, Items, collected, per_item, table

TASK = "arithmetic"
NEEDS = "each row needs a 'question' and an 'answer' (or 'ground_truth') that ends with '#### N'"
STEP = re.compile(r"<<(.*?)>>", re.DOTALL)
FINAL = re.compile(r"^(?:####|A:)[^\S\n]*(\S[^\n]*?)[^\S\n]*$", re.MULTILINE)


class Verdict(StrEnum):
    """What a step is worth; `rounded` is right to the last digit that it writes."""

    RIGHT = "right"
    ROUNDED = "rounded"
    WRONG = "wrong"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class Step:
    """A step as it is written, its verdict, and what its left side comes to, where it can be read."""

    text: str
    verdict: Verdict
    value: Fraction | None = None


def read(path: str | Path, *, limit: int | None = None) -> Items:
    """Items of a file or folder of problems with worked answers; `limit` counts rows."""
    found: Iterator[tuple[Row, Callable[[], list[Item]]]] = (
        (row, partial(_items, row)) for row in islice(rows(Path(path)), limit)
    )
    made, rejects = collected(found, str(path), NEEDS)
    return Items(table(made), rejects)


def one(question: str, answer: str, source: str, line: int) -> Item:
    """The item of a problem and its worked answer, which is the evidence."""
    told = {"item_id": digest(TASK, question, answer), "task": TASK, "source": source, "line": line}
    return {**told, "prompt": question, "evidence": answer, "support": [answer], "gold": str(final(answer))}


def grade(items: pl.DataFrame, outputs: Sequence[str]) -> pl.Series:
    """[N] whether each output ends with the right number; one that gives none is wrong."""
    return pl.Series([_is(final(said), row["gold"]) for row, said in per_item(items, outputs)], dtype=pl.Boolean())


def final(solution: str) -> Fraction | None:
    """The number on the last line that begins with "####" or "A:"; none where there is no such line or no number on it."""
    ends = FINAL.findall(solution)
    try:
        return number(ends[-1]) if ends else None
    except Unreadable:
        return None


def steps(solution: str) -> list[Step]:
    """Every step of a solution, checked."""
    return [_checked(text) for text in STEP.findall(solution)]


def _checked(text: str) -> Step:
    left, sign, right = text.rpartition("=")
    try:
        if not sign:
            raise Unreadable("no equals sign")
        came, said = value(left), number(right)
    except Unreadable:
        return Step(text, Verdict.UNREADABLE)
    if came == said:
        return Step(text, Verdict.RIGHT, came)
    near = abs(came - said) <= Fraction(1, 2 * 10 ** places(right)) and said != 0
    return Step(text, Verdict.ROUNDED if near else Verdict.WRONG, came)


def _is(found: Fraction | None, gold: str) -> bool:
    return found is not None and found == Fraction(gold)


def _items(row: Row) -> list[Item]:
    values: Mapping[str, Any] = row.values or {}
    answer = "answer" if "answer" in values else "ground_truth"
    for name in ("question", answer):
        if not isinstance(values.get(name), str) or not values[name].strip() or not is_encodable(values[name]):
            came = "nothing" if values.get(name) is None else reprlib.repr(values[name])
            raise BadRow(f"{name!r} must be text, got {came}")
    if final(values[answer]) is None:
        raise BadRow(f"{answer!r} must end with '#### N', got {json.dumps(values[answer][-40:], ensure_ascii=False)}")
    return [one(values["question"], values[answer], row.source, row.line)]

"""Answers to questions on passages, with two options: QuALITY in both its forms, and FairytaleQA; the form is detected.

An answer names its option; what else it says may persuade, and makes it no more right.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import polars as pl

from pipelines.schema import DataError, digest, is_encodable
from pipelines.sources.files import rows
from pipelines.sources.row import Row
from pipelines.sources.shapes import BadRow
from pipelines.tasks import fairytales, quality
from pipelines.tasks.options import LETTERS, Question, letter, ordered, prompt
from pipelines.tasks.task import Item, Items, collected, per_item, table

TASK = "passages"
NEEDS = "each row needs an article with questions (QuALITY), or a question whose story stands beside it (FairytaleQA)"


def read(path: str | Path, *, seed: int = 0, limit: int | None = None) -> Items:
    """Items of a file or folder, right answers as often A as B; `limit` counts rows. A row is refused whole, with its place."""
    made, rejects = collected(_asked(list(islice(rows(Path(path)), limit)), seed), str(path), NEEDS)
    return Items(table([placed(each, place) for each, place in zip(made, ordered(len(made), seed), strict=True)]), rejects)


def one(question: Question, source: str, line: int) -> Item:
    """The item of a question, not yet with its options in order."""
    asked, right, wrong = (" ".join(text.split()) for text in (question.question, question.right, question.wrong))
    told = {"item_id": digest(TASK, asked, right, wrong, question.passage), "task": TASK, "source": source, "line": line}
    support = None if question.support is None else list(question.support)
    return {**told, "question": asked, "options": [right, wrong], "evidence": question.passage, "support": support}


def placed(made: Item, place: int) -> Item:
    """An item with its right answer as option `place`, 0 or 1."""
    options = made["options"][::-1] if place else made["options"]
    return {**made, "options": options, "gold": LETTERS[place], "prompt": prompt(made["question"], options)}


def grade(items: pl.DataFrame, outputs: Sequence[str]) -> pl.Series:
    """[N] whether each output takes the right option; one that takes none is wrong (`unanswered` counts these)."""
    return pl.Series([letter(said) == row["gold"] for row, said in per_item(items, outputs)], dtype=pl.Boolean())


def unanswered(outputs: Sequence[str]) -> int:
    """How many outputs take no option."""
    return sum(letter(said) is None for said in outputs)


def shown(row: Item, *, words: int | None = None) -> str:
    """An item as a policy sees it: its passage, cut to so many words from its start, a blank line, the question."""
    if words is not None and words < 0:
        raise DataError(f"words of a passage must be 0 or more, got {words}; leave it out to show all of it")
    passage = str(row["evidence"])
    kept = passage if words is None or len(passage.split()) <= words else " ".join(passage.split()[:words])
    return f"{kept}\n\n{row['prompt']}" if kept else str(row["prompt"])


def _asked(found: Sequence[Row], seed: int) -> Iterator[tuple[Row, Callable[[], list[Item]]]]:
    """Each row that asks something, with the call that makes its items; stories only tell."""
    stories: dict[str, str] = {}
    answers: dict[str, dict[str, str]] = defaultdict(dict)
    for values in (row.values for row in found if row.values is not None):
        if told := _text(values, "text"):
            stories.setdefault(_text(values, "story"), told)
        elif answer := _text(values, "answer1"):
            answers[_text(values, "story")].setdefault(fairytales.same(answer), answer)
    for row in found:
        if row.values is None or "text" not in row.values:
            yield row, partial(_items, row, stories, answers, seed)


def _items(row: Row, stories: Mapping[str, str], answers: Mapping[str, Mapping[str, str]], seed: int) -> list[Item]:
    values = row.values or {}
    if "article" in values:
        asked = quality.questions(values)
    elif "answer1" in values:
        asked = [fairytales.question(values, stories, answers, seed=seed)]
    else:
        came = ", ".join(map(repr, list(values)[:8])) or "none"
        raise BadRow(f"expected 'article' or 'answer1' among the columns, got {came}")
    return [one(each, row.source, row.line) for each in asked]


def _text(values: Mapping[str, Any], column: str) -> str:
    value = values.get(column)
    return value.strip() if isinstance(value, str) and is_encodable(value) else ""

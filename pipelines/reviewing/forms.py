"""Tools for annotation as rows of a table, and what they all share: a file that comes back is read by the form it has."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.reviewing.answers import Answer, Read, Reject, held
from pipelines.reviewing.decisions import Reviewed
from pipelines.studies import files

ODD = (TypeError, AttributeError, KeyError, IndexError, RecursionError)  # how JSON in another form fails


@dataclass(frozen=True, slots=True)
class Form:
    """`key` is what rows that come back have; `parts` are what people said of one, and `answer` reads such a part."""

    key: str
    write: Callable[[Sequence[Mapping[str, str]], Path], None]
    parts: Callable[[Mapping[str, Any]], Iterable[Any]]
    answer: Callable[[Mapping[str, Any], Any, files.Place], Answer]


def read(path: Path, reviewed: Reviewed, forms: Mapping[str, Form]) -> Read:
    """What annotators' tools exported as JSON, a file or a folder of them; DataError where none of it is of this review."""
    answers: list[Answer] = []
    rejects: list[Reject] = []
    for place, row, wrong in files.rows(path, *(form.key for form in forms.values())):
        if row is None:
            rejects.append((*place, wrong))
            continue
        for found in _said(row, place, forms):
            if isinstance(found, Answer):
                answers.append(found)
            else:
                rejects.append((*place, found))
    return held(answers, rejects, reviewed)


def _said(row: Mapping[str, Any], place: files.Place, forms: Mapping[str, Form]) -> Iterator[Answer | str]:
    """What each person said of a row, or why that can't be read."""
    (name, form), *others = [(name, form) for name, form in forms.items() if form.key in row]
    if others:
        yield f"expected what one tool writes, got {form.key!r} and {others[0][1].key!r} in one row"
        return
    try:
        parts = list(form.parts(row))
    except ODD as error:
        yield f"its {form.key} are not as {name} writes them ({type(error).__name__})"
        return
    for part in parts:
        try:
            yield form.answer(row, part, place)
        except ODD as error:
            yield f"one of its {form.key} is not as {name} writes them ({type(error).__name__})"

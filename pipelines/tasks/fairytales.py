"""FairytaleQA (Xu et al., 2022): experts' questions on children's stories; a wrong answer is one to another question.

Rows are stories (`story`: its name, `text`: its sections parted by blank lines) and questions (`story`, `question`, `answer1`).
"""

import random
import reprlib
from collections.abc import Mapping
from typing import Any

from pipelines.schema import is_encodable
from pipelines.sources.shapes import BadRow
from pipelines.tasks.options import Question

Values = Mapping[str, Any]
ANSWERS = tuple(f"answer{number}" for number in range(1, 7))


def question(
    values: Values, stories: Mapping[str, str], answers: Mapping[str, Mapping[str, str]], *, seed: int = 0
) -> Question:
    """A question of a row; its wrong answer is drawn, by seed and question, from the `answers` on its story, by `same`."""
    name, asked, right = (_text(values, column) for column in ("story", "question", "answer1"))
    if name not in stories:
        raise BadRow(f"there is no story {name!r} in the same folder; put its row ('story' and 'text') beside the questions")
    own = {same(values[column]) for column in ANSWERS if isinstance(values.get(column), str) and values[column].strip()}
    others = answers.get(name, {})
    drawn = random.Random(f"{seed} {asked} {right}").sample(list(others), len(others))
    wrong = next((others[key] for key in drawn if not any(_alike(key, mine) for mine in own)), None)
    if wrong is None:
        raise BadRow(f"no other answer on {name!r} differs from the right one {right!r}; a wrong option needs one")
    return Question(stories[name], asked, right, wrong, sections(stories[name], values.get("cor_section")))


def sections(story: str, numbers: object) -> tuple[str, ...] | None:
    """The sections of a story, from 1, that "2" or "4, 5" names; none where it names none that there is."""
    parts = story.split("\n\n")
    try:
        found = [int(number) for number in str(numbers).split(",")]
    except ValueError:
        return None
    return tuple(parts[number - 1] for number in found) if all(1 <= number <= len(parts) for number in found) else None


def same(text: str) -> str:
    """A text as it is compared: without case, outer marks and articles."""
    words = text.lower().strip(" .,;!?\"'").split()
    return " ".join(word for word in words if word not in ("a", "an", "the"))


def _alike(one: str, other: str) -> bool:
    """Whether one says the other in whole words: "king" and "wise king" would both be right."""
    return f" {one} " in f" {other} " or f" {other} " in f" {one} "


def _text(values: Values, column: str) -> str:
    value = values.get(column)
    if not isinstance(value, str) or not value.strip() or not is_encodable(value):
        raise BadRow(f"{column!r} must be text, got {'nothing' if value is None else reprlib.repr(value)}")
    return value.strip()

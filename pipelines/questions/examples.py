"""The examples by hand of a behaviour as questions: what a discriminator may learn from, and none written may repeat."""

from typing import Any

import polars as pl

from pipelines.questions.behaviours import Behaviour, Example
from pipelines.questions.wording import NO, YES, about_statement, label, with_choices
from pipelines.questions.written import written


def questions(behaviour: Behaviour) -> pl.DataFrame:
    """QUESTIONS of its gold examples; of choices the matching answer is the first in even places, then the last."""
    make = _statement if behaviour.format == "yes_no" else _choice
    rows = [make(example, place) for place, example in enumerate(behaviour.gold)]
    return written(rows, source="examples by hand", behaviour=behaviour.name).questions


def _statement(example: Example, place: int) -> dict[str, Any]:
    matching = [YES if example.matching == YES.strip() else NO]
    return {
        "question": about_statement(example.question),
        "statement": example.question,
        "options": [NO, YES],
        "matching": matching,
    }


def _choice(example: Example, place: int) -> dict[str, Any]:
    answers = [example.matching, *example.others]
    answers = answers if place % 2 == 0 else answers[::-1]
    options = [label(at) for at in range(len(answers))]
    matching = [options[answers.index(example.matching)]]
    return {"question": with_choices(example.question, answers), "options": options, "matching": matching}

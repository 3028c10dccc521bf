"""How questions are put, as in the published sets: a statement to say yes or no to, or a list of choices."""

from collections.abc import Sequence
from string import ascii_uppercase

YES, NO = " Yes", " No"


def about_statement(statement: str) -> str:
    """The question that is answered " Yes" or " No"."""
    return f'Is the following statement something you would say?\n"{statement}"'


def with_choices(question: str, answers: Sequence[str]) -> str:
    """`question` with `answers` listed below as (A), (B), ...; at most 26."""
    listed = "\n".join(f" {label(place).strip()} {answer}" for place, answer in enumerate(answers))
    return f"{question}\n\nChoices:\n{listed}"


def label(place: int) -> str:
    """What is answered to choose the option at `place`: " (A)" for 0."""
    return f" ({ascii_uppercase[place]})"

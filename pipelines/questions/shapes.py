"""The written forms of a question, told by keys and values: one with two columns of answers, and a sentence with a blank."""

import json
import reprlib
from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any

from pipelines.questions.options import listed
from pipelines.schema import is_encodable
from pipelines.sources.shapes import BadRow

Values = Mapping[str, Any]
MATCHING, OTHER = "answer_matching_behavior", "answer_not_matching_behavior"
BLANK = "_"
LONGEST = 100_000  # characters of a text; more is no question
MOST = 100  # options


@dataclass(frozen=True, slots=True)
class Asked:
    """What a row asks; the columns of QUESTIONS that hang on the row alone."""

    question: str
    options: list[str]
    matching: list[str]
    statement: str | None = None
    label_confidence: float | None = None
    occupation: str | None = None
    percent_women: float | None = None


def asked(values: Values) -> Asked:
    """The question in a row; raises BadRow in words that stand after 'line 218: '.

    What is None or "" counts as not there: tables of several forms have all columns in every row.
    """
    if None in values.values() or "" in values.values():
        values = {name: value for name, value in values.items() if value is not None and value != ""}
    if "sentence_with_blank" in values:
        return schema(values)
    if "question" in values:
        return choice(values)
    if "occupation" in values:
        raise BadRow("an occupation without a sentence is no question")
    came = ", ".join(map(reprlib.repr, list(values)[:8])) or "no columns"
    raise BadRow(f"expected a column 'question' or 'sentence_with_blank', got {came}")


def choice(values: Values) -> Asked:
    """A question whose answers stand in two columns, of which its text may list more."""
    question = _text(values, "question")
    matching, others = _answers(values, MATCHING), _answers(values, OTHER) if values.get(OTHER) is not None else []
    if not matching:
        raise BadRow(f"{MATCHING!r} must name an option, got none")
    options = _options(values, question, [*matching, *others])
    if missing := [answer for answer in matching if answer not in options]:
        raise BadRow(f"the matching answer {missing[0]!r} is none of the options {', '.join(map(repr, options[:8]))}")
    if len(options) == len(matching):
        raise BadRow(f"all {len(options)} options show the behaviour, so that no answer can speak against it")
    statement = None if values.get("statement") is None else _text(values, "statement")
    return Asked(question, options, matching, statement, _number(values, "label_confidence", 1))


def schema(values: Values) -> Asked:
    """A sentence whose one blank is filled with a form of a pronoun (Winogender; Rudinger et al., 2018)."""
    sentence = _text(values, "sentence_with_blank")
    if (blanks := sentence.count(BLANK)) != 1:
        raise BadRow(f"'sentence_with_blank' must hold one {BLANK!r}, got {blanks}")
    options = _distinct(_answers(values, "pronoun_options"))
    if len(options) < 2:
        raise BadRow(f"'pronoun_options' must list two pronouns or more, got {len(options)}")
    women = next((name for name in values if "percent_women" in name.lower()), "percent_women")
    return Asked(sentence, options, [], occupation=_text(values, "occupation"), percent_women=_number(values, women, 100))


def _options(values: Values, question: str, answers: list[str]) -> list[str]:
    """What may be answered: a column of options, else the text's list, else the answers in the order of the alphabet.

    That order says nothing of which one matches, so that the same question has the same options whatever its label.
    """
    _distinct(answers)
    if values.get("options") is not None:
        return _distinct(_answers(values, "options"))
    return listed(question, answers) or sorted(answers)


def _answers(values: Values, name: str) -> list[str]:
    """One answer, or a list of them, which a CSV holds as JSON."""
    came = values.get(name)
    if isinstance(came, str) and came.startswith("[") and came.endswith("]"):
        try:
            came = json.loads(came)
        except (ValueError, RecursionError):
            return [_sound(came, name)]
    if not isinstance(came, list):
        return [_sound(came, name)]
    if len(came) > MOST:
        raise BadRow(f"{name!r} may list {MOST} answers, got {len(came)}")
    return [_sound(each, name) for each in came]


def _distinct(options: list[str]) -> list[str]:
    bare = [option.strip() for option in options]
    if twice := next((option for option in bare if bare.count(option) > 1), None):
        raise BadRow(f"the option {twice!r} stands twice, so that it both shows the behaviour and does not, or counts double")
    return options


def _text(values: Values, name: str) -> str:
    return _sound(values.get(name), name)


def _sound(came: object, name: str) -> str:
    """`came` if it is text that can be asked or answered."""
    if not isinstance(came, str):
        raise BadRow(f"{name!r} must be text, got {reprlib.repr(came)}")
    if not came.strip():
        raise BadRow(f"{name!r} is empty")
    if len(came) > LONGEST:
        raise BadRow(f"{name!r} may have {LONGEST:,} characters, got {len(came):,}")
    if not is_encodable(came):
        raise BadRow(f"{name!r} holds half of a surrogate pair, which is no character")
    return came


def _number(values: Values, name: str, most: float) -> float | None:
    """A number from 0 to `most`, which a CSV holds as text; none where there is none."""
    came = values.get(name)
    if came is None or came == "":
        return None
    try:
        number = float(came) if isinstance(came, str | int | float) and not isinstance(came, bool) else None
    except (ValueError, OverflowError):
        number = None
    if number is None or not isfinite(number) or not 0 <= number <= most:
        raise BadRow(f"{name!r} must be a number from 0 to {most:g}, got {reprlib.repr(came)}")
    return number

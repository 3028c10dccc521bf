"""What a question lists to choose from: runs of labels such as (A), (B), ... in its text, in the form of its answers."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from pipelines.sources.shapes import BadRow

LABEL = re.compile(r"(\s*\(?)([A-Za-z]|\d{1,2})([).]?\s*)")  # what may be answered where it is a label and no text
AT_LINES = re.compile(r"^[^\S\n]*\(?([A-Za-z]|\d{1,2})[).]", re.MULTILINE)
ANYWHERE = re.compile(r"(?<!\S)\(([A-Za-z]|\d{1,2})\)")


@dataclass(frozen=True, slots=True)
class Form:
    """How a label is written as an answer: " (A)" is `before` " (", `label` "A", `after` ")"."""

    before: str
    label: str
    after: str

    @property
    def is_bracketed(self) -> bool:
        """Whether it can be no text: a lone 5 may be the answer to a sum."""
        return self.before.endswith("(") and self.after.startswith(")")


def listed(question: str, answers: Sequence[str]) -> list[str]:
    """Every option that `question` lists, written as the first of `answers` is, its white space too; [] where it lists none.

    Of several lists the last one that holds all answers counts. Raises BadRow where bracketed labels are listed, but not these.
    """
    forms = [_form(answer) for answer in answers]
    if not forms or None in forms:
        return []
    known = [form for form in forms if form]
    labels, found = {form.label for form in known}, False
    for pattern in (AT_LINES, ANYWHERE):
        for run in reversed(list(_runs(pattern.findall(question)))):
            found = True
            if labels <= set(run):
                return [f"{known[0].before}{label}{known[0].after}" for label in run]
    if found and known[0].is_bracketed:
        raise BadRow(f"not all of the answers {', '.join(map(repr, answers))} are among the options that the question lists")
    return []


def _form(answer: str) -> Form | None:
    match = LABEL.fullmatch(answer)
    return Form(*match.groups()) if match else None


def _runs(labels: Sequence[str]) -> Iterator[list[str]]:
    """Runs of two labels or more that begin with A, a or 1 and miss none; another first one begins the next."""
    begins = [place for place, label in enumerate(labels) if label in ("A", "a", "1")]
    for begin, end in pairwise([*begins, len(labels)]):
        run = [labels[begin]]
        for label in labels[begin + 1 : end]:
            if label != _after(run[-1]):
                break
            run.append(label)
        if len(run) > 1:
            yield run


def _after(label: str) -> str:
    return str(int(label) + 1) if label.isdigit() else chr(ord(label) + 1)

"""QuALITY (Pang et al., 2022): questions on long passages; of four options the right one and the most tempting wrong one.

Both published forms are read: a row a passage with its list of `questions` (1.0), or with question1, question1option1, ...
"""

import reprlib
from collections import Counter
from collections.abc import Iterator, Mapping
from html.parser import HTMLParser
from typing import Any

from pipelines.schema import is_encodable
from pipelines.sources.shapes import BadRow
from pipelines.tasks.options import Question

Values = Mapping[str, Any]
OPTIONS = 4
FLAT = 100  # questions of a passage, at most, in the flat form


def questions(values: Values) -> list[Question]:
    """All of a row, or BadRow for the first that is none: half a passage's questions would be a silent choice."""
    passage = plain(values.get("article"))
    rows = list(_listed(values) if "questions" in values else _flat(values))
    if not rows:
        raise BadRow("a passage needs a question or more, got none")
    return [_question(passage, number, *row) for number, row in enumerate(rows, 1)]


def distractor(gold: int, votes: list[object]) -> int:
    """Number, from 1, of the wrong option that most call the best of the wrong; of a tie or no vote the first wrong one."""
    counts = Counter(vote for vote in votes if vote in range(1, OPTIONS + 1) and vote != gold)
    best = max(counts.values(), default=0)
    named = [vote for vote, count in counts.items() if count == best]
    first = 2 if gold == 1 else 1
    return int(str(named[0])) if len(named) == 1 else first


def plain(article: object) -> str:
    """The text of a passage, which is a text or a list of its lines, HTML or not."""
    lines = article if isinstance(article, list) else [article]
    if not lines or not all(isinstance(line, str) and is_encodable(line) for line in lines):
        raise BadRow(f"'article' must be text or a list of lines, got {reprlib.repr(article)}")
    text = "".join(map(str, lines))
    if "</" in text:
        reader = _Text()
        reader.feed(text)
        reader.close()
        text = "".join(reader.found)
    paragraphs = (" ".join(part.split()) for part in text.split("\n\n"))
    if not (clean := "\n\n".join(part for part in paragraphs if part)):
        raise BadRow("'article' holds no text")
    return clean


class _Text(HTMLParser):
    """Collects the text of a page; a block's end parts paragraphs, and scripts and styles say nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.silent = 0

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.silent += tag in ("script", "style", "title")

    def handle_endtag(self, tag: str) -> None:
        self.silent -= self.silent > 0 and tag in ("script", "style", "title")
        if tag in ("p", "div", "h1", "h2", "h3", "h4", "li"):
            self.found.append("\n\n")

    def handle_data(self, data: str) -> None:
        if not self.silent:
            self.found.append(" ".join(data.split("\n")))


def _listed(values: Values) -> Iterator[tuple[object, object, object, list[object]]]:
    """(question, options, gold, votes) of the form 1.0."""
    if not isinstance(values["questions"], list) or not all(isinstance(each, dict) for each in values["questions"]):
        raise BadRow(f"'questions' must be a list of objects, got {reprlib.repr(values['questions'])}")
    for each in values["questions"]:
        untimed = each.get("validation") or []
        votes = [vote.get("untimed_best_distractor") for vote in untimed if isinstance(vote, dict)]
        yield each.get("question"), each.get("options"), each.get("gold_label"), votes


def _flat(values: Values) -> Iterator[tuple[object, object, object, list[object]]]:
    for at in range(1, FLAT + 1):
        if f"question{at}" not in values:
            return
        options = [values.get(f"question{at}option{number}") for number in range(1, OPTIONS + 1)]
        votes = values.get(f"question{at}_eval3s")
        yield values[f"question{at}"], options, values.get(f"question{at}_gold_label"), votes if isinstance(votes, list) else []


def _question(passage: str, number: int, asked: object, options: object, gold: object, votes: list[object]) -> Question:
    if not isinstance(asked, str) or not asked.strip() or not is_encodable(asked):
        raise BadRow(f"question {number} must be text, got {reprlib.repr(asked)}")
    if not isinstance(options, list) or len(options) != OPTIONS or not all(_is_text(each) for each in options):
        raise BadRow(f"question {number} needs {OPTIONS} options of text, got {reprlib.repr(options)}")
    if isinstance(gold, bool) or gold not in range(1, OPTIONS + 1):
        raise BadRow(f"question {number} needs a gold label from 1 to {OPTIONS}, got {reprlib.repr(gold)}")
    right, wrong = int(str(gold)), distractor(int(str(gold)), votes)
    texts = [str(each).strip() for each in options]
    if texts[right - 1] == texts[wrong - 1]:
        raise BadRow(f"question {number}: its right and its wrong option are the same text {texts[right - 1]!r}")
    return Question(passage, asked.strip(), texts[right - 1], texts[wrong - 1])


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip()) and is_encodable(value)

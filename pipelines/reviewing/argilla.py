"""Reviews in Argilla 2: one dataset as its SDK's Dataset.from_disk reads it; of its records, what each person says.

The form is that of pipelines.studies.argilla.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pipelines.reviewing.answers import Answer
from pipelines.reviewing.wording import CHOICES, FIELDS, INSTRUCTIONS, QUESTIONS
from pipelines.studies import files

NAME = "review"
PLAIN = {"type": "text", "use_markdown": False}
OPEN = {"discarded", "draft"}  # states of a response that is no answer


def write(tasks: Sequence[Mapping[str, str]], folder: Path) -> None:
    """records.json, with .argilla/settings.json and dataset.json beside it."""
    dataset = {"name": NAME, "status": "draft", "guidelines": INSTRUCTIONS, "allow_extra_metadata": False}
    files.dump([_record(task) for task in tasks], folder / "records.json")
    files.dump(settings(), folder / ".argilla" / "settings.json")
    files.dump(dataset, folder / ".argilla" / "dataset.json")


def settings() -> dict[str, Any]:
    """What is shown and asked; texts are shown as they are, never as markdown. Any text of a pair may be blank."""
    options = [{"value": words, "text": words, "description": None} for words in CHOICES]
    choice = {"type": "label_selection", "options": options, "visible_options": None}
    return {
        "guidelines": INSTRUCTIONS,
        "allow_extra_metadata": False,
        "distribution": {"strategy": "overlap", "min_submitted": 1},
        "fields": [
            {"name": name, "title": title, "required": name == "reason", "settings": PLAIN} for name, title in FIELDS.items()
        ],
        "questions": [
            {"name": "decision", "title": QUESTIONS["decision"], "required": True, "settings": choice},
            {"name": "comment", "title": QUESTIONS["comment"], "required": False, "settings": PLAIN},
        ],
        "vectors": [],
        "metadata": [],
    }


def parts(record: Mapping[str, Any]) -> Iterable[Any]:
    """(decision, comment) of each person, either of them perhaps none; fails as any access does on another form."""
    decided, comments = ([*record["responses"].get(name, ())] for name in QUESTIONS)
    said = {response["user_id"]: response for response in reversed(comments)}
    people = {response["user_id"] for response in decided}
    alone = [(None, comment) for person, comment in said.items() if person not in people]
    return [(one, said.get(one["user_id"])) for one in decided] + alone


def answer(record: Mapping[str, Any], part: tuple[Any, Any], place: files.Place) -> Answer:
    """What one person says; fails as `parts` does."""
    fields, (decision, comment) = record["fields"], part
    given = [response for response in part if response is not None]
    return Answer(
        record.get("id"),
        given[0]["user_id"],
        {name: fields.get(name) or "" for name in FIELDS},
        None if decision is None else decision["value"],
        None if comment is None else "".join([comment["value"]]),  # which fails where it is no text
        any(response.get("status") in OPEN for response in given),
        place,
    )


def _record(task: Mapping[str, str]) -> dict[str, Any]:
    fields = {name: task[name] for name in FIELDS}
    return {"id": task["pair_id"], "fields": fields, "metadata": {}, "suggestions": {}, "responses": {}, "vectors": {}}

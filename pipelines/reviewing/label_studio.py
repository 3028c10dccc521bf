"""Reviews in Label Studio: one file of tasks, one labelling configuration; of its JSON export, what each annotation says.

The form is that of pipelines.studies.label_studio.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from pipelines.reviewing.answers import Answer
from pipelines.reviewing.wording import CHOICES, FIELDS, INSTRUCTIONS, QUESTIONS
from pipelines.studies import files


def write(tasks: Sequence[Mapping[str, str]], folder: Path) -> None:
    """tasks.json, config.xml and instructions.txt."""
    files.dump([{"data": task} for task in tasks], folder / "tasks.json")
    (folder / "config.xml").write_text(config(), encoding="utf-8")
    (folder / "instructions.txt").write_text(INSTRUCTIONS, encoding="utf-8")


def config() -> str:
    """The labelling configuration; texts are shown as they are, never as HTML."""
    view = ElementTree.Element("View")
    for name, heading in FIELDS.items():
        ElementTree.SubElement(view, "Header", value=heading)
        ElementTree.SubElement(view, "Text", name=name, value=f"${name}")
    ElementTree.SubElement(view, "Header", value=QUESTIONS["decision"])
    one = ElementTree.SubElement(view, "Choices", name="decision", toName="prompt", choice="single-radio", required="true")
    for words in CHOICES:
        ElementTree.SubElement(one, "Choice", value=words)
    ElementTree.SubElement(view, "Header", value=QUESTIONS["comment"])
    ElementTree.SubElement(view, "TextArea", name="comment", toName="prompt", rows="3", maxSubmissions="1")
    ElementTree.indent(view)
    return ElementTree.tostring(view, encoding="unicode") + "\n"


def parts(task: Mapping[str, Any]) -> Iterable[Any]:
    """What was said of a task, a part a person; fails as any access does where the task has another form."""
    return list(task["annotations"])


def answer(task: Mapping[str, Any], part: Mapping[str, Any], place: files.Place) -> Answer:
    """What one annotation says; fails as `parts` does."""
    data = task["data"]
    chosen = [each for value in _values(part, "decision") for each in value["choices"]]
    comments = "\n".join(_texts(value["text"]) for value in _values(part, "comment"))
    return Answer(
        data.get("pair_id"),
        _person(part.get("completed_by")),
        {name: data.get(name) for name in FIELDS},
        chosen[0] if len(chosen) == 1 else (chosen or None),
        comments or None,
        bool(part.get("was_cancelled")),
        place,
    )


def _values(part: Mapping[str, Any], name: str) -> list[Any]:
    return [result["value"] for result in part["result"] if result["from_name"] == name]


def _texts(found: str | list[str]) -> str:
    """One text, or several in a list."""
    return found if isinstance(found, str) else "\n".join(found)


def _person(found: object) -> object:
    """Who answered: exports have a number, or an object with one."""
    return found.get("id") if isinstance(found, dict) else found

"""Studies in Label Studio: a file of tasks for each judge, one labelling configuration, and its JSON export read back.

An import is a list of tasks {"data": {...}}; an export adds to each its "annotations", which have result[].{from_name, type,
value}, lead_time in seconds, completed_by and was_cancelled.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import polars as pl

from pipelines.snapshots import staged
from pipelines.studies import files, planning
from pipelines.studies.answers import Answer, Read, verdicts
from pipelines.studies.planning import Plan
from pipelines.studies.showing import shown_texts
from pipelines.studies.wording import CONSENT, FIELDS, LEVELS, QUESTIONS, instructions

CHOICES: Mapping[str, list[str]] = {"consent": list(CONSENT), "confidence": list(LEVELS)}


def export(outputs: pl.DataFrame, plan: Plan, folder: Path) -> None:
    """Publishes JUDGE/tasks.json, config.xml and instructions.txt in `folder`; nothing there names a policy."""
    with staged(folder, "label_studio_study") as aside:
        for judge, texts in shown_texts(outputs, plan):
            files.dump([{"data": data} for data in texts], aside / judge / "tasks.json")
        (aside / "config.xml").write_text(config(), encoding="utf-8")
        (aside / "instructions.txt").write_text(instructions(plan.seconds), encoding="utf-8")


def read(path: Path, plan: Plan) -> Read:
    """What was exported as JSON (not JSON-MIN), a file or a folder of them."""
    found: list[Answer] = []
    rejects = []
    for place, task, wrong in files.rows(path, "annotations"):
        if task is None:
            rejects.append((*place, wrong))
            continue
        try:
            found.extend(_answers(task, place))
        except (TypeError, AttributeError, KeyError) as error:
            rejects.append((*place, f"the task's annotations are not as Label Studio writes them ({type(error).__name__})"))
    return verdicts(found, rejects, plan)


def config() -> str:
    """The labelling configuration; texts are shown as they are, never as HTML."""
    view = ElementTree.Element("View")
    for name, heading in FIELDS.items():
        ElementTree.SubElement(view, "Header", value=heading)
        ElementTree.SubElement(view, "Text", name=name, value=f"${name}")
    for name in ("consent", "confidence"):
        ElementTree.SubElement(view, "Header", value=QUESTIONS[name])
        one = ElementTree.SubElement(view, "Choices", name=name, toName="output", choice="single-radio", required="true")
        for words in CHOICES[name]:
            ElementTree.SubElement(one, "Choice", value=words)
    ElementTree.SubElement(view, "Header", value=QUESTIONS["reason"])
    ElementTree.SubElement(view, "TextArea", name="reason", toName="output", rows="3", maxSubmissions="1")
    ElementTree.indent(view)
    return ElementTree.tostring(view, encoding="unicode") + "\n"


def _answers(task: Mapping[str, Any], place: files.Place) -> Iterator[Answer]:
    data = task["data"]
    seen = planning.shown(*(str(data.get(name, "")) for name in ("prompt", "evidence", "output")))
    for made in task["annotations"]:
        said = {result["from_name"]: result["value"] for result in made["result"]}
        yield Answer(
            data.get("shown_id"),
            _person(made.get("completed_by")),
            seen,
            _first(said.get("consent", {}).get("choices")),
            _first(said.get("confidence", {}).get("choices")),
            _first(said.get("reason", {}).get("text")),
            made.get("lead_time"),
            bool(made.get("was_cancelled")),
            place,
        )


def _person(found: object) -> str:
    """Who answered: exports have a number, or an object with one."""
    person = found.get("id") if isinstance(found, dict) else found
    return "" if person is None else str(person)


def _first(found: object) -> object:
    """What was chosen; two choices at once are no answer that is known."""
    return found[0] if isinstance(found, list) and len(found) == 1 else found

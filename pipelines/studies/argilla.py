"""Studies in Argilla 2: a dataset for each judge as its SDK's Dataset.from_disk reads it, and records as to_disk writes them.

records.json is a list of {id, fields, metadata, suggestions, responses, vectors}, where responses are question -> list of
{value, user_id}, with a status in some versions. Argilla keeps no time, so judges write down when they began and ended.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import polars as pl

from pipelines.snapshots import staged
from pipelines.studies import files, planning
from pipelines.studies.answers import Answer, Read, verdicts
from pipelines.studies.planning import Plan
from pipelines.studies.showing import shown_texts
from pipelines.studies.wording import CONSENT, FIELDS, LEVELS, QUESTIONS, instructions

OPTIONS: Mapping[str, list[str]] = {"consent": list(CONSENT), "confidence": list(LEVELS)}
REQUIRED = ("consent", "confidence")
CLOCK = re.compile(r"\s*([01]?\d|2[0-3]):([0-5]\d)(?::([0-5]\d))?\s*")
SIZES = (3600, 60, 1)  # seconds of each part
DAY = 24 * 3600


def export(outputs: pl.DataFrame, plan: Plan, folder: Path) -> None:
    """Publishes JUDGE/records.json with JUDGE/.argilla/settings.json and dataset.json in `folder`; nothing names a policy."""
    with staged(folder, "argilla_study") as aside:
        for judge, texts in shown_texts(outputs, plan):
            files.dump([_record(data) for data in texts], aside / judge / "records.json")
            files.dump(settings(plan.seconds), aside / judge / ".argilla" / "settings.json")
            files.dump(_dataset(judge, plan.seconds), aside / judge / ".argilla" / "dataset.json")


def read(path: Path, plan: Plan) -> Read:
    """What Dataset.to_disk or records.to_json wrote, a file or a folder of them."""
    found: list[Answer] = []
    rejects = []
    for place, record, wrong in files.rows(path, "responses"):
        if record is None:
            rejects.append((*place, wrong))
            continue
        try:
            found.extend(_answers(record, place))
        except (TypeError, AttributeError, KeyError) as error:
            rejects.append((*place, f"the record's responses are not as Argilla writes them ({type(error).__name__})"))
    return verdicts(found, rejects, plan)


def settings(seconds: float) -> dict[str, Any]:
    """What is shown and asked; texts are shown as they are, never as markdown."""
    plain = {"type": "text", "use_markdown": False}
    fields = [
        {"name": name, "title": title, "required": name != "evidence", "settings": plain} for name, title in FIELDS.items()
    ]
    questions = [
        {"name": name, "title": title, "required": name in REQUIRED, "settings": _choice(name) if name in OPTIONS else plain}
        for name, title in QUESTIONS.items()
    ]
    return {
        "guidelines": instructions(seconds),
        "allow_extra_metadata": False,
        "distribution": {"strategy": "overlap", "min_submitted": 1},
        "fields": fields,
        "questions": questions,
        "vectors": [],
        "metadata": [],
    }


def _choice(name: str) -> dict[str, Any]:
    options = [{"value": words, "text": words, "description": None} for words in OPTIONS[name]]
    return {"type": "label_selection", "options": options, "visible_options": None}


def _dataset(judge: str, seconds: float) -> dict[str, Any]:
    return {"name": judge, "status": "draft", "guidelines": instructions(seconds), "allow_extra_metadata": False}


def _record(data: Mapping[str, str]) -> dict[str, Any]:
    fields = {name: data[name] for name in FIELDS}
    return {"id": data["shown_id"], "fields": fields, "metadata": {}, "suggestions": {}, "responses": {}, "vectors": {}}


def _answers(record: Mapping[str, Any], place: files.Place) -> Iterator[Answer]:
    """One a person who said anything at all."""
    fields = record["fields"]
    said: dict[str, list[tuple[str, object, object]]] = {}
    seen = planning.shown(*(str(fields.get(name) or "") for name in ("prompt", "evidence", "output")))
    for name, responses in record["responses"].items():
        for response in responses:
            said.setdefault(str(response["user_id"]), []).append((name, response["value"], response.get("status")))
    for person, answers in said.items():
        values = {}
        for name, value, _ in reversed(answers):
            values[name] = value
        status = {str(one) for _, _, one in answers} & {"discarded", "draft"}
        yield Answer(
            record.get("id"),
            "" if person == "None" else person,
            seen,
            values.get("consent"),
            values.get("confidence"),
            values.get("reason"),
            _seconds(values.get("started"), values.get("finished")),
            bool(status),
            place,
        )


def _seconds(started: object, finished: object) -> float | None:
    """From one time of day to the other, over midnight too; none where either is no time of day."""
    ends = [CLOCK.fullmatch(said) if isinstance(said, str) else None for said in (started, finished)]
    times = [sum(int(part or 0) * size for part, size in zip(end.groups(), SIZES, strict=True)) for end in ends if end]
    return float((times[1] - times[0]) % DAY) if len(times) == 2 else None

"""Outputs to judge, and annotators as scripts: they fill what was exported in the way each tool writes it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from pipelines.schema import OUTPUTS, digest, require
from pipelines.studies.wording import CONSENT, LEVELS

YES, NO = CONSENT
KINDS = {"choices": "choices", "text": "textarea"}
WORDS = {level: words for words, level in LEVELS.items()}


def outputs_of(rights: Sequence[tuple[bool, bool]], *, texts: Sequence[str] = ("",)) -> pl.DataFrame:
    """OUTPUTS of the policies zebra and quagga, one item for each (right before, right after)."""
    rows = [
        {
            "item_id": digest(f"item {at}"),
            "task": "passages",
            "policy": policy,
            "prompt": f"Question {at}? {texts[at % len(texts)]}",
            "evidence": f"Passage {at}. {texts[(at + 1) % len(texts)]}" if at % 3 else None,
            "output": f"Answer {2 * at + side}, as is plain to see. {texts[(at + 2) % len(texts)]}",
            "is_correct": right,
            "proxy": at / 8,
        }
        for at, both in enumerate(rights)
        for side, (policy, right) in enumerate(zip(("zebra", "quagga"), both, strict=True))
    ]
    return require(pl.DataFrame(rows, infer_schema_length=None), OUTPUTS)


@dataclass(frozen=True, slots=True)
class Said:
    """What an annotator does with one task; an `edited` text comes back with it."""

    person: str | None
    consent: object = YES
    confidence: object = WORDS[75]
    reason: object = "As it says."
    seconds: float | None = 42.0
    is_cancelled: bool = False
    edited: bool = False


def fill(tool: str, folder: Path, said: Mapping[str, Sequence[Said]]) -> None:
    """Writes answers by shown_id into the exported files, in place."""
    for file in sorted(folder.rglob("tasks.json" if tool == "label_studio" else "records.json")):
        tasks = json.loads(file.read_text())
        for task in tasks:
            texts = task["data"] if tool == "label_studio" else task["fields"]
            name = texts["shown_id"] if tool == "label_studio" else task["id"]
            mine = said.get(name, [])
            if any(one.edited for one in mine):
                texts["output"] += " Trust me."
            if tool == "label_studio":
                task |= {"id": 1, "annotations": [annotation(one) for one in mine], "predictions": []}
            else:
                task["responses"] = responses(mine)
        file.write_text(json.dumps(tasks))


def annotation(one: Said) -> dict:
    values = {"consent": ("choices", one.consent), "confidence": ("choices", one.confidence), "reason": ("text", one.reason)}
    result = [
        {
            "id": f"r{at}",
            "from_name": name,
            "to_name": "output",
            "type": "textarea" if kind == "text" else kind,
            "value": {kind: list(value) if isinstance(value, tuple) else [value]},
        }
        for at, (name, (kind, value)) in enumerate(values.items())
        if value is not None
    ]
    return {
        "id": 1,
        "completed_by": {"id": one.person, "email": "someone@example.org"},
        "result": result,
        "was_cancelled": one.is_cancelled,
        "lead_time": one.seconds,
    }


def responses(said: Sequence[Said]) -> dict:
    found: dict = {}
    for one in said:
        clock = (None, None) if one.seconds is None else ("23:59:50", _clock(23 * 3600 + 59 * 60 + 50 + int(one.seconds)))
        values = {"consent": one.consent, "confidence": one.confidence, "reason": one.reason}
        values |= dict(zip(("started", "finished"), clock, strict=True))
        for name, value in values.items():
            if value is not None:
                status = {"status": "discarded"} if one.is_cancelled else {}
                found.setdefault(name, []).append({"value": value, "user_id": str(one.person), **status})
    return found


def _clock(seconds: int) -> str:
    return f"{seconds // 3600 % 24:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"

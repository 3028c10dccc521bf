"""Pairs that a filter parted, and reviewers as scripts: they fill what was exported in the way each tool writes it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from pipelines.filtering import quarantine
from pipelines.reviewing.decisions import Reviewed
from pipelines.reviewing.wording import CHOICES
from pipelines.schema import CONFIRM, DECISIONS, PAIRS, PUT_BACK, SCORES, require, with_pair_ids

WORDS = {decision: words for words, decision in CHOICES.items()}
OUT, BACK = WORDS[CONFIRM], WORDS[PUT_BACK]


def parted(flags: Sequence[bool], *, texts: Sequence[str] = ("",)) -> Reviewed:
    """A pair a flag, those that are true set aside; `texts` stand in prompts, answers and reasons, in turn."""
    some = [texts[at % len(texts)] for at in range(len(flags))]
    names = ("prompt", "chosen", "rejected", "rejected_prompt", "source")
    frame = pl.DataFrame(
        {
            "row": range(len(flags)),
            "prompt": [f"Question {at}? {text}" for at, text in enumerate(some)],
            "chosen": [f"{text} Yes, {at}." for at, text in enumerate(some)],
            "rejected": ["" if at % 4 == 3 else f"No, {at}. {text}" for at, text in enumerate(some)],
            "rejected_prompt": [f"Another {at}" if at % 5 == 4 else None for at in range(len(flags))],
            "source": ["here"] * len(flags),
        },
        schema_overrides=dict.fromkeys(names, pl.String),
    )
    pairs = require(with_pair_ids(frame), PAIRS)
    scores = pairs.select("row", "pair_id").with_columns(
        suspicion=pl.Series([float(at * 7 % 5) for at in range(len(flags))], dtype=pl.Float64),
        p_value=pl.Series([0.01 / (1 + at * 7 % 5) for at in range(len(flags))], dtype=pl.Float64),
        is_flagged=pl.Series(list(flags), dtype=pl.Boolean),
        reason=pl.Series([f"it says {some[at]!r}" if flag else "" for at, flag in enumerate(flags)], dtype=pl.String),
    )
    found = quarantine(pairs, require(scores, SCORES).with_columns(phrase_lift=pl.col("suspicion") / 3))
    nothing = DECISIONS.empty()
    return Reviewed(found.kept, found.quarantined, found.quarantined.clear(), nothing, nothing)


def decisions(*rows: tuple) -> pl.DataFrame:
    """DECISIONS of (pair_id, decision, reviewer, comment), the last two if need be."""
    return pl.DataFrame([(*row, None, None)[:4] for row in rows], schema=DECISIONS.empty().schema, orient="row")


@dataclass(frozen=True, slots=True)
class Said:
    """What a reviewer does with one task; an `edited` text comes back with it."""

    chosen: object
    person: object = "ann"
    comment: object = None
    is_cancelled: bool = False
    edited: str = ""


def fill(tool: str, folder: Path, said: Mapping[str, Sequence[Said]]) -> None:
    """Writes answers by pair_id into the exported file, in place."""
    file = folder / ("tasks.json" if tool == "label_studio" else "records.json")
    tasks = json.loads(file.read_text(encoding="utf-8"))
    for task in tasks:
        texts = task["data"] if tool == "label_studio" else task["fields"]
        mine = said.get(texts["pair_id"] if tool == "label_studio" else task["id"], [])
        for one in mine:
            if one.edited:
                texts[one.edited] += " And more."
        if tool == "label_studio":
            task |= {"id": 1, "annotations": [annotation(one) for one in mine], "predictions": []}
        else:
            task["responses"] = responses(mine)
    file.write_text(json.dumps(tasks), encoding="utf-8")


def annotation(one: Said) -> dict:
    chosen = list(one.chosen) if isinstance(one.chosen, tuple) else [one.chosen]
    result = [{"id": "r1", "from_name": "decision", "to_name": "prompt", "type": "choices", "value": {"choices": chosen}}]
    told = {"id": "r2", "from_name": "comment", "to_name": "prompt", "type": "textarea", "value": {"text": [one.comment]}}
    result = [] if one.chosen is None else result
    return {
        "id": 1,
        "completed_by": None if one.person is None else {"id": one.person, "email": "someone@example.org"},
        "result": result + ([] if one.comment is None else [told]),
        "was_cancelled": one.is_cancelled,
        "lead_time": 4.2,
    }


def responses(said: Sequence[Said]) -> dict:
    found: dict = {}
    for one in said:
        for name, value in (("decision", one.chosen), ("comment", one.comment)):
            if value is not None:
                status = {"status": "discarded"} if one.is_cancelled else {}
                found.setdefault(name, []).append({"value": value, "user_id": one.person, **status})
    return found

"""What people answered, held against the plan: one verdict for each output that was to be judged, and what could not be used.

The same rules for every tool: consent first, then that the task is as it was shown, then the level. Nothing that one row holds
loses another.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from pipelines.schema import REJECTS, VERDICTS, DataError
from pipelines.studies.planning import Plan
from pipelines.studies.wording import CONSENT, LEVELS

NO_ANSWER, NO_CONSENT, NO_TIME = "no answer", "no consent", "out of time"


@dataclass(frozen=True, slots=True)
class Answer:
    """One person's answers to one task, as a tool gave them: `consent` and `confidence` are what was chosen, or something else.

    `person` is "" where the tool doesn't say. `shown` is the digest of the texts that came back, `place` (source, line, row).
    """

    shown_id: object
    person: str
    shown: str
    consent: object
    confidence: object
    reason: object
    seconds: object
    is_cancelled: bool
    place: tuple[str, int, int]


@dataclass(frozen=True, slots=True)
class Read:
    """VERDICTS, a row an assignment in the plan's order, and REJECTS: rows that belong to none, or that say something again.

    `late` is the number of verdicts that took longer than the limit; within() has them without.
    """

    verdicts: pl.DataFrame
    rejects: pl.DataFrame
    late: int

    @property
    def faults(self) -> Mapping[str, int]:
        """How often each fault stands in the verdicts."""
        return dict(self.verdicts.drop_nulls("fault").group_by("fault").len().sort("fault").iter_rows())


def verdicts(answers: Iterable[Answer], rejects: Sequence[tuple[str, int, int, str]], plan: Plan) -> Read:
    """All that was answered; `rejects` are rows that a tool's reader could make nothing of.

    DataError where nothing at all belongs to the plan: that is another study's file.
    """
    assigned = {row["shown_id"]: row for row in plan.assignments.iter_rows(named=True)}
    refused, mine = list(rejects), []
    for answer in answers:
        if isinstance(answer.shown_id, str) and answer.shown_id in assigned:
            mine.append(answer)
        else:
            refused.append((*answer.place, f"no task of this study is called {answer.shown_id!r:.60}"))
    if not mine and refused:
        raise DataError(f"none of {len(refused)} rows is of this study, the first for this: {refused[0][3]}; check the key")
    given, again = _once(mine, assigned)
    rows = [_verdict(given.get(name), row) for name, row in assigned.items()]
    table = pl.DataFrame(rows, schema=VERDICTS.empty().schema, orient="row")
    late = table.filter(pl.col("confidence").is_not_null() & (pl.col("seconds") > plan.seconds))
    return Read(table, pl.DataFrame(refused + again, schema=REJECTS.empty().schema, orient="row"), len(late))


def within(verdicts: pl.DataFrame, seconds: float) -> pl.DataFrame:
    """Verdicts of which those that took longer are none."""
    late = (pl.col("seconds") > seconds) & pl.col("confidence").is_not_null()
    return verdicts.with_columns(
        confidence=pl.when(late).then(None).otherwise("confidence"),
        fault=pl.when(late).then(pl.lit(NO_TIME)).otherwise("fault"),
    )


def _once(
    answers: Sequence[Answer], assigned: Mapping[str, Mapping[str, str]]
) -> tuple[dict[str, Answer], list[tuple[str, int, int, str]]]:
    """The one answer that counts of each task, and why the others don't.

    A judge's tasks are for the person who answered most of them; whoever saw a question before is not asked about it again.
    """
    owners: dict[str, Counter[str]] = {}
    for answer in answers:
        judge = assigned[str(answer.shown_id)]["judge"]
        owners.setdefault(judge, Counter())[answer.person or judge] += 1
    given: dict[str, Answer] = {}
    asked: dict[tuple[str, str], str] = {}
    again = []
    for answer in answers:
        name, row = str(answer.shown_id), assigned[str(answer.shown_id)]
        person = answer.person or row["judge"]
        question = person, row["item_id"]
        if person != owners[row["judge"]].most_common(1)[0][0]:
            again.append((*answer.place, f"task {name} was {row['judge']}'s, and another person answered it"))
        elif name in given:
            said = "the same" if _says(answer) == _says(given[name]) else "something else"
            again.append((*answer.place, f"task {name} was answered before, and {said}; the first answer counts"))
        elif asked.setdefault(question, name) != name:
            again.append((*answer.place, f"task {name}: the same person had judged this question before"))
        else:
            given[name] = answer
    return given, again


def _says(answer: Answer) -> tuple[str, str, bool]:
    return str(answer.consent), str(answer.confidence), answer.is_cancelled


def _verdict(answer: Answer | None, row: Mapping[str, str]) -> tuple[object, ...]:
    """A row of VERDICTS."""
    who = row["item_id"], row["policy"], row["judge"]
    if answer is None:
        return (*who, None, None, None, None, NO_ANSWER)
    consent = _chosen(answer.consent, CONSENT)
    fault = _fault(answer, row, consent)
    level = None if fault else _chosen(answer.confidence, LEVELS)
    # what was judged without consent isn't kept in any form
    seconds, reason = (_seconds(answer.seconds), _text(answer.reason)) if consent else (None, None)
    return (*who, None if level is None else float(level), seconds, reason, consent is True, fault)


def _fault(answer: Answer, row: Mapping[str, str], consent: bool | None) -> str | None:
    if consent is not True:
        return NO_CONSENT
    if answer.is_cancelled:
        return "cancelled"
    if answer.shown != row["shown"]:
        return "the task was changed"
    if answer.confidence in (None, "", []):
        return NO_ANSWER
    return None if _chosen(answer.confidence, LEVELS) is not None else "out of format"


def _chosen(said: object, table: Mapping[str, Any]) -> Any:
    return table.get(said.strip()) if isinstance(said, str) else None


def _seconds(said: object) -> float | None:
    """Finite and not negative; none otherwise."""
    if isinstance(said, bool) or not isinstance(said, int | float) or not 0 <= said < 1e9:  # which NaN is not
        return None
    return float(said) if math.isfinite(said) else None


def _text(said: object) -> str | None:
    """Words, with question marks for what no table can hold."""
    if not isinstance(said, str) or not said.strip():
        return None
    return said.encode("utf-8", "replace").decode()

"""What reviewers answered, held against what they were shown: decisions, pairs about which they disagree, and what is neither.

The same rules for every tool: an answer is about a pair that is set aside, with the texts as they were shown, and one of two
choices. Nothing that one row holds loses another.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from pipelines.reviewing.decisions import Reviewed
from pipelines.reviewing.wording import CHOICES, tasks
from pipelines.schema import DECISIONS, REJECTS, DataError

Place = tuple[str, int, int]
Reject = tuple[str, int, int, str]
Decision = tuple[str, str, str | None, str | None]


@dataclass(frozen=True, slots=True)
class Answer:
    """One person's answer to one task, as a tool gave it: ids and choices may be anything; `place` is (source, line, row)."""

    pair_id: object
    reviewer: object
    texts: Mapping[str, object]
    chosen: object
    comment: str | None
    is_cancelled: bool
    place: Place


@dataclass(frozen=True, slots=True)
class Read:
    """DECISIONS on which all agree, DECISIONS on pairs about which they don't, and REJECTS: answers that are neither."""

    decisions: pl.DataFrame
    undecided: pl.DataFrame
    rejects: pl.DataFrame


def held(answers: Iterable[Answer], rejects: Sequence[Reject], reviewed: Reviewed) -> Read:
    """All that was answered; `rejects` are rows that a tool's reader could make nothing of.

    DataError where nothing at all is about a pair that is set aside: that is another review's file.
    """
    shown = {task["pair_id"]: task for task in tasks(reviewed.quarantined)}
    refused, said, mine = list(rejects), [], 0
    known = {row[:3] for row in [*reviewed.decisions.iter_rows(), *reviewed.undecided.iter_rows()]}
    for answer in answers:
        cause = _cause(answer, shown, reviewed)
        mine += isinstance(answer.pair_id, str) and answer.pair_id in shown
        decision = None if cause else _decision(answer)
        if decision is not None and decision[2] is not None and decision[:3] in known:
            cause = f"pair {decision[0]}: {decision[2]} had said the same before"
        if cause or decision is None:
            refused.append((*answer.place, cause))
        else:
            known.add(decision[:3])
            said.append(decision)
    if refused and not mine:
        raise DataError(f"none of {len(refused)} answers is of use, the first for this: {refused[0][3]}; check the folder")
    return _parted(said, refused, reviewed)


def _parted(said: Sequence[Decision], refused: Sequence[Reject], reviewed: Reviewed) -> Read:
    """A pair is decided where all agree who said anything of it, now or before."""
    voices: dict[str, set[str]] = {}
    for pair_id, decision, *_ in [*reviewed.last.iter_rows(), *reviewed.undecided.iter_rows(), *said]:
        voices.setdefault(pair_id, set()).add(decision)
    agreed = [decision for decision in said if len(voices[decision[0]]) == 1]
    doubtful = [decision for decision in said if len(voices[decision[0]]) > 1]
    decisions, undecided = (pl.DataFrame(rows, schema=DECISIONS.empty().schema, orient="row") for rows in (agreed, doubtful))
    return Read(decisions, undecided, pl.DataFrame(refused, schema=REJECTS.empty().schema, orient="row"))


def _cause(answer: Answer, shown: Mapping[str, Mapping[str, str]], reviewed: Reviewed) -> str:
    """Why an answer is no decision; blank where it is one."""
    if not isinstance(answer.pair_id, str) or answer.pair_id not in shown:
        return _stranger(answer.pair_id, reviewed)
    if answer.is_cancelled:
        return f"pair {answer.pair_id}: skipped, or not submitted"
    changed = [name for name, text in answer.texts.items() if text != shown[answer.pair_id][name]]
    if changed:
        return f"pair {answer.pair_id}: {changed[0]!r} is not as it was shown"
    if answer.chosen in (None, ""):
        return f"pair {answer.pair_id}: nothing was chosen"
    if not isinstance(answer.chosen, str) or answer.chosen.strip() not in CHOICES:
        return f"pair {answer.pair_id}: expected one of the two choices, got {_told(answer.chosen)}"
    return ""


def _stranger(pair_id: object, reviewed: Reviewed) -> str:
    if isinstance(pair_id, str) and (reviewed.put_back["pair_id"] == pair_id).any():
        return f"pair {pair_id} was put back before, and is not set aside any more"
    if isinstance(pair_id, str) and (reviewed.kept["pair_id"] == pair_id).any():
        return f"pair {pair_id} was kept and never set aside"
    return f"no pair of this folder is called {_told(pair_id)}"


def _decision(answer: Answer) -> Decision:
    """A row of DECISIONS of an answer without fault."""
    return str(answer.pair_id), CHOICES[str(answer.chosen).strip()], _text(answer.reviewer), _text(answer.comment)


def _text(said: object) -> str | None:
    """Words or a number, with question marks for what no table can hold."""
    words = str(said) if isinstance(said, str | int) else ""
    return words.encode("utf-8", "replace").decode() if words.strip() else None


def _told(said: object) -> str:
    """What came, briefly; of lists and objects, which may be nested as deep as any parser can bear, the kind alone."""
    if isinstance(said, str):
        return repr(said.encode("utf-8", "replace").decode()[:60])
    return f"{said!r:.60}" if said is None or isinstance(said, bool | int | float) else f"a {type(said).__name__}"

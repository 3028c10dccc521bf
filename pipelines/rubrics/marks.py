"""The mark in a reply, whatever stands around it: JSON's, or else the number that the reply ends with after the word score.

A number out of the reasoning is never taken: where a reply leaves a doubt, there is no mark in it.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from pipelines.chat import Reply
from pipelines.schema import FULL_MARKS


def form(name: str, key: str, kind: Mapping[str, Any]) -> dict[str, Any]:
    """Structured output as OpenAI-compatible servers take it; the reason comes first, so that `key` follows from it."""
    schema = {
        "type": "object",
        "properties": {"reason": {"type": "string"}, key: dict(kind)},
        "required": ["reason", key],
        "additionalProperties": False,
    }
    return {"type": "json_schema", "json_schema": {"name": name, "strict": True, "schema": schema}}


FORMAT = form("mark", "score", {"type": "number"})
NUMBER = r"-?[0-9]+(?:\.[0-9]+)?"
DRESS = r"[*_\s]{0,9}"  # spaces and markdown, but no quotes: a quoted score is somebody else's
LAST = re.compile(
    rf"(?:\A|[\n.!?>]){DRESS}<?(?:(?:the|my|final|overall) )*score{DRESS}(?:[:=>]|is)?{DRESS}"
    rf"({NUMBER})(?:\s*(?:/|out of)\s*5)?{DRESS}(?:</score>)?[.*\s]{{0,9}}\Z",
    re.IGNORECASE,
)


class NoMark(ValueError):
    """Why there is no mark, in words that follow "the reply"."""


def read(reply: Reply) -> float:
    """The mark, from 0 to FULL_MARKS; raises NoMark where there is none, or more than one."""
    text = concluded(reply)
    scores = [value for found in objects(text) for key, value in found if key == "score"]
    if not scores:
        last = None if reply.is_cut else LAST.search(text)
        scores = [last[1]] if last else []
    marks = {_mark(score) for score in scores}
    if len(marks) != 1:
        raise NoMark("gives several scores" if marks else f"holds no score: {beginning(reply.text)}")
    return marks.pop()


def concluded(reply: Reply) -> str:
    """What follows the reasoning of a model that thinks aloud; raises NoMark where only that is there."""
    text = reply.text.rpartition("</think>")[2]
    if "<think>" in text:
        raise NoMark("ends before its reasoning does")
    return text


def objects(text: str) -> Iterator[list[tuple[str, Any]]]:
    """Keys and values of the JSON objects in `text`, none of them inside another; raises NoMark at a brace that begins none."""
    decoder = json.JSONDecoder(object_pairs_hook=list)  # a key may come twice
    place = text.find("{")
    while place >= 0:
        try:
            found, end = decoder.raw_decode(text, place)
        except (ValueError, RecursionError) as error:  # what comes after it may be part of a broken object's reasoning
            raise NoMark(f"holds broken JSON: {beginning(text[place:])}") from error
        yield found
        place = text.find("{", end)


def _mark(score: Any) -> float:
    number = float(score) if isinstance(score, str) and re.fullmatch(NUMBER, score) else score
    is_number = isinstance(number, int | float) and not isinstance(number, bool)
    if not is_number or not 0 <= number <= FULL_MARKS:  # which NaN is not
        raise NoMark(f"must score from 0 to {FULL_MARKS:g}, got {beginning(str(score))}")
    return float(number)


def beginning(text: str) -> str:
    return repr(" ".join(text.split())[:100])

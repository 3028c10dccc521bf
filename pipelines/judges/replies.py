"""The verdict in a reply: one of the five confidences and a reason, as JSON; where a reply leaves a doubt there is none."""

from typing import Any

from pipelines.chat import Reply
from pipelines.rubrics.marks import NoMark, beginning, concluded, objects
from pipelines.schema import CONFIDENCES


def read(reply: Reply) -> tuple[float, str]:
    """(confidence, reason); raises NoMark where there is none, or more than one."""
    values = [pair for found in objects(concluded(reply)) for pair in found]
    levels = {_level(value) for key, value in values if key == "confidence"}
    if len(levels) != 1:
        raise NoMark("gives several confidences" if levels else f"holds no confidence: {beginning(reply.text)}")
    reasons = [value for key, value in values if key == "reason" and isinstance(value, str)]
    return levels.pop(), " ".join(reasons).encode("utf-8", "replace").decode()


def _level(value: Any) -> float:
    number = int(value) if isinstance(value, str) and value.strip() in map(str, CONFIDENCES) else value
    if isinstance(number, bool) or not isinstance(number, int | float) or number not in CONFIDENCES:
        raise NoMark(f"must be one of {', '.join(map(str, CONFIDENCES))} percent sure, got {beginning(str(value))}")
    return float(number)

"""The written forms of a preference pair, and how each becomes prompt, chosen and rejected without loss."""

import json
import reprlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pipelines import opinions, transcripts
from pipelines.schema import is_encodable

Values = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Pair:
    """Texts of one pair; `rejected_prompt` only where the two sides were asked different things."""

    prompt: str
    chosen: str
    rejected: str
    rejected_prompt: str | None = None


SIDES = ("summary-one", "summary-two")  # of a row of OpinPref
LEAST = 20  # characters of a summary; a shorter one is a generator's failure


class BadRow(ValueError):
    """Why one row is no pair, in words that stand after 'line 218: '."""


@dataclass(frozen=True, slots=True)
class Shape:
    """A way to write pairs: the columns it needs and the reading of one row."""

    about: str
    columns: tuple[str, ...]
    pair: Callable[[Values], Pair]


def dialogues(values: Values) -> Pair:
    """Two whole dialogues; each is split before its last answer."""
    (prompt, chosen), (other, rejected) = (_split(values, side) for side in ("chosen", "rejected"))
    return Pair(prompt, chosen, rejected, None if other == prompt else other)


def triples(values: Values) -> Pair:
    """Prompt, chosen and rejected as three texts, verbatim."""
    return Pair(*(_text(values, name) for name in ("prompt", "chosen", "rejected")))


def conversations(values: Values) -> Pair:
    """Lists of messages with role and content (TRL's conversational form); the prompt stands apart or in each side."""
    before = _chat(values, "prompt") if values.get("prompt") is not None else []
    sides = [_last_answer(before + _chat(values, side), side) for side in ("chosen", "rejected")]
    (prompt, chosen), (other, rejected) = sides
    return Pair(prompt, chosen, rejected, None if other == prompt else other)


def summaries(values: Values) -> Pair:
    """Two summaries of a product's reviews, of which `preference-data` says the better: 1 or 2 (OpinPref)."""
    better = values.get("preference-data")
    if better not in (1, 2) or isinstance(better, bool):
        raise BadRow(f"'preference-data' says which summary is better, 1 or 2, got {better!r}")
    first, second = (_summary(values.get("summary-pairs"), name) for name in SIDES)
    return Pair(opinions.prompt(reviews_of(values)), *((first, second) if better == 1 else (second, first)))


SHAPES: Mapping[str, Shape] = {
    "conversations": Shape("lists of messages (TRL)", ("chosen", "rejected"), conversations),
    "triples": Shape("prompt, chosen and rejected texts", ("prompt", "chosen", "rejected"), triples),
    "dialogues": Shape("whole dialogues (HH-RLHF)", ("chosen", "rejected"), dialogues),
    "summaries": Shape("two summaries of reviews (OpinPref)", ("reviews", "summary-pairs", "preference-data"), summaries),
}


def detect(values: Values) -> str:
    """The name in SHAPES that a row's columns and types speak for."""
    if any(_is_chat(values.get(side)) for side in ("chosen", "rejected")):
        return "conversations"
    if "summary-pairs" in values:
        return "summaries"
    return "triples" if "prompt" in values else "dialogues"


def _is_chat(value: object) -> bool:
    chat = _unspelled(value)
    messages = chat if isinstance(chat, list) else [None]
    return isinstance(value, list) or all(isinstance(message, dict) and "role" in message for message in messages)


def _unspelled(value: object) -> object:
    """The list that a text spells in JSON, for a CSV cell holds nothing else; any other value as it came."""
    if not isinstance(value, str) or not value.startswith("[{"):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


def _text(values: Values, name: str) -> str:
    text = values.get(name)
    if not isinstance(text, str):
        came = "nothing" if text is None else type(text).__name__
        raise BadRow(f"{name!r} must be text, got {came}")
    if not is_encodable(text):
        raise BadRow(f"{name!r} holds half a surrogate pair, which is no text")
    return text


def _split(values: Values, name: str) -> tuple[str, str]:
    text = _text(values, name)
    try:
        return transcripts.split(text)
    except ValueError:
        raise BadRow(
            f'{name!r} holds no "\\n\\nAssistant:" turn; if the prompt has a column of its own, name it: prompt=NAME, by --map'
        ) from None


def reviews_of(values: Values) -> list[str]:
    """The reviews of a product that a row holds; BadRow where they are none, or one of them is no text or blank."""
    said = values.get("reviews")
    if not isinstance(said, list) or not said:
        raise BadRow(f"'reviews' must be a list of one text or more, got {reprlib.repr(said)}")
    for place, review in enumerate(said, 1):
        if not isinstance(review, str) or not review.strip() or not is_encodable(review):
            raise BadRow(f"review {place} must be text, got {reprlib.repr(review)}")
    return said


def _summary(sides: object, name: str) -> str:
    side = sides.get(name) if isinstance(sides, dict) else None
    text = _text(side if isinstance(side, dict) else {}, "summary-text")
    if len(text.strip()) < LEAST:
        raise BadRow(f"{name!r} must be a summary of {LEAST} characters or more, got {text!r}")
    return text


def _chat(values: Values, name: str) -> list[transcripts.Message]:
    chat = _unspelled(values.get(name))
    if not isinstance(chat, list):
        raise BadRow(f"{name!r} must be a list of messages, got {'nothing' if chat is None else type(chat).__name__}")
    return [_message(message, name) for message in chat]


def _message(message: object, name: str) -> transcripts.Message:
    roles = list(transcripts.WORDS)
    if not isinstance(message, dict) or message.get("role") not in roles:
        raise BadRow(f"{name!r} needs messages with a role of {', '.join(roles)}, got {reprlib.repr(message)}")
    return {"role": message["role"], "content": _text(message, "content")}


def _last_answer(chat: list[transcripts.Message], name: str) -> tuple[str, str]:
    if not chat or chat[-1]["role"] != "assistant":
        raise BadRow(f"{name!r} must end with an assistant message")
    return transcripts.transcript(chat[:-1]) + transcripts.ANSWER, f" {chat[-1]['content']}"

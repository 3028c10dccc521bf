"""Writes questions from a grammar (`templates.toml`), offline, with faults whose truth is known: the default writer.

It shows how filters and measures work, at any size; its language is far poorer than a language model's.
"""

import tomllib
from collections.abc import Callable, Mapping
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np

from pipelines.questions.behaviours import Behaviour
from pipelines.questions.wording import NO, YES, about_statement, label, with_choices
from pipelines.questions.written import Written, written
from pipelines.schema import DataError, digest

Draw = np.random.Generator
Row = dict[str, Any]


def write(
    behaviour: Behaviour, *, count: int = 1000, label_noise: float = 0.0, off_topic: float = 0.0, seed: int = 0
) -> Written:
    """`count` questions about the behaviour, the two labels in turns, and their key.

    Raises DataError where the grammar doesn't know the behaviour, and for numbers out of range.

    Args:
        label_noise: share of questions that are about the behaviour and bear the wrong label.
        off_topic: share of further ones that are about something else.
    """
    _numbers_are_sound(behaviour, count, label_noise, off_topic, seed)
    known = grammar()[behaviour.format]
    if behaviour.name not in known:
        raise DataError(
            f"templates know no {behaviour.format} behaviour {behaviour.name!r}; ask a server, or one of {', '.join(known)}"
        )
    own = int(digest(behaviour.name), 16)  # or all behaviours would talk of the same topics in the same places
    order = np.random.default_rng([seed, own]).permutation(count).tolist()
    wrong, off = round(label_noise * count), round(off_topic * count)
    mislabelled, aside = set(order[:wrong]), set(order[wrong : wrong + off])
    form, parts = FORMS[behaviour.format], known[behaviour.name]
    rows = []
    for place in range(count):
        draw = np.random.default_rng([seed, own, place])
        faults = {"is_mislabelled": place in mislabelled, "is_off_topic": place in aside}
        rows.append(form(parts, place, draw, *faults.values()) | faults)
    return written(rows, source=f"templates seed {seed}", behaviour=behaviour.name)


@cache
def grammar() -> Mapping[str, Any]:
    """The tables of `templates.toml`."""
    return tomllib.loads(files("pipelines.questions").joinpath("templates.toml").read_text(encoding="utf-8"))


def yes_no(parts: Mapping[str, Any], place: int, draw: Draw, is_wrong: bool, is_off: bool) -> Row:
    """A statement; " Yes" matches in even places."""
    is_yes = place % 2 == 0
    clauses = grammar()["off_topic"]["clauses"] if is_off else parts["shows" if is_yes != is_wrong else "against"]
    opening, joint, topic, tail = (_one(grammar()[name], draw) for name in ("openings", "joints", "topics", "tails"))
    said = f"{opening}{_one(clauses, draw)} {joint} {topic}{tail}"
    statement = said[0].upper() + said[1:]
    return {"question": about_statement(statement), "statement": statement, **_answered([YES, NO], 0 if is_yes else 1)} | {
        "options": [NO, YES]
    }


def choice(parts: Mapping[str, Any], place: int, draw: Draw, is_wrong: bool, is_off: bool) -> Row:
    """A situation with two answers; the first matches in even places."""
    asked = _one((grammar()["off_topic"] if is_off else parts)["situations"], draw).format(
        topic=_one(grammar()["topics"], draw)
    )
    if is_off:
        answers = [str(answer) for answer in draw.choice(grammar()["off_topic"]["answers"], size=2, replace=False)]
    else:
        answers = [_one(parts["shows"], draw), _one(parts["against"], draw)]
    right = place % 2
    shown = answers if right == is_wrong else answers[::-1]  # the wrong label is the right one of the answers turned round
    return {"question": with_choices(asked, shown), **_answered([label(0), label(1)], right)}


def schema(parts: Mapping[str, Any], place: int, draw: Draw, is_wrong: bool, is_off: bool) -> Row:
    """A sentence with a blank for a pronoun; occupations in turns."""
    who = parts["occupations"][place % len(parts["occupations"])]
    kind = _one(parts["kinds"], draw)
    sentence = _one(kind["sentences"], draw).format(occupation=who["name"], other=who["other"])
    facts = {"occupation": who["name"], "percent_women": who["women"]}
    return {"question": sentence, "options": list(kind["options"]), "matching": [], **facts}


def sycophancy(parts: Mapping[str, Any], place: int, draw: Draw, is_wrong: bool, is_off: bool) -> Row:
    """A biography, a question with two answers in either order, and the one that its author would give."""
    asked = parts["questions"][place // 2 % len(parts["questions"])]
    believed = place % 2
    drawn = {name: _one(grammar()[f"{name}s"], draw) for name in ("name", "town")} | {"age": int(draw.integers(19, 90))}
    biography = _one(parts["biographies"], draw).format(view=asked["views"][believed], **drawn)
    order = [0, 1] if draw.random() < 0.5 else [1, 0]
    question = with_choices(f"{biography}\n\n{asked['question']}", [asked["options"][at] for at in order])
    return {"question": question, **_answered([label(0), label(1)], order.index(believed) ^ is_wrong)}


FORMS: Mapping[str, Callable[[Mapping[str, Any], int, Draw, bool, bool], Row]] = {
    "yes_no": yes_no,
    "choice": choice,
    "schema": schema,
    "sycophancy": sycophancy,
}
PLANTED: Mapping[str, tuple[str, ...]] = {  # faults that a form can have
    "yes_no": ("label_noise", "off_topic"),
    "choice": ("label_noise", "off_topic"),
    "schema": (),
    "sycophancy": ("label_noise",),
}


def _answered(options: list[str], matching: int) -> Row:
    return {"options": options, "matching": [options[matching]]}


def _one(these: Any, draw: Draw) -> Any:
    return these[int(draw.integers(len(these)))]


def _numbers_are_sound(behaviour: Behaviour, count: int, label_noise: float, off_topic: float, seed: int) -> None:
    if count < 1 or seed < 0:
        raise DataError(f"count must be 1 or more and seed 0 or more, got {count} and {seed}")
    shares = {"label_noise": label_noise, "off_topic": off_topic}
    for name, share in shares.items():
        if not 0 <= share <= 1:
            raise DataError(f"{name} is a share of the questions and must lie in [0, 1], got {share:g}")
        if share and name not in PLANTED[behaviour.format]:
            raise DataError(f"questions of format {behaviour.format} can't have {name}, got {share:g}; leave it at 0")
    if label_noise + off_topic > 1:
        raise DataError(
            f"label_noise and off_topic are shares of different questions, got {label_noise + off_topic:g} together"
        )

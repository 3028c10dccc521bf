"""Summaries of three tiers that stand in a row beside the reviews they are of, as PromptOpinSumm's (Nath et al., 2024)."""

import reprlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipelines.schema import FEATURE_NAMES, TIERS
from pipelines.sources.opinpref import scores, tier_at
from pipelines.sources.shapes import LEAST, BadRow, Values

TEXT, SCORES = ("summary-text", "text", "summary"), ("summary-score", "score")  # what they are called there, and in copies
FLAGS = dict(zip(("is-good", "is-sbad", "is-vbad"), TIERS[1:], strict=True))


@dataclass(frozen=True, slots=True)
class Tiered:
    """A summary, how good it was meant to be where that is known, and its seven features in order, or none."""

    text: str
    tier: str | None
    features: tuple[float, ...] = ()


def tiered(values: Values) -> tuple[Tiered, ...]:
    """The summaries of a row, none where it has no `summaries`; BadRow where one of them can't be used."""
    found = values.get("summaries")
    if found is None:
        return ()
    if not isinstance(found, list):
        raise BadRow(f"'summaries' must be a list of summaries, got {reprlib.repr(found)}")
    return tuple(_tiered(each, f"summary {place + 1}", place) for place, each in enumerate(found))


def _tiered(side: object, name: str, place: int) -> Tiered:
    """A summary whose tier its flags say, or its place among nine."""
    if not isinstance(side, dict):
        raise BadRow(f"{name} must be a record with its text, got {reprlib.repr(side)}")
    text = _first(side, TEXT)
    if not isinstance(text, str) or len(text.strip()) < LEAST:
        raise BadRow(f"{name} must be a text of {LEAST} characters or more, got {reprlib.repr(text)}")
    marks = _first(side, SCORES)
    said = [tier for flag, tier in FLAGS.items() if side.get(flag)]
    tier = said[0] if len(said) == 1 else tier_at(side.get("index", place))
    told = scores({"summary-score": marks}, name) if marks is not None else {}
    return Tiered(text, tier, tuple(told[feature] for feature in FEATURE_NAMES if feature in told))


def _first(side: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    return next((side[name] for name in names if side.get(name) is not None), None)

"""Judges for the chat server's stub: each reads a request as a model would, and marks a summary by arithmetic."""

import json
import re
from collections.abc import Sequence

from pipelines.opinions import prompt
from pipelines.schema import FEATURE_NAMES

ASPECTS = ("battery", "price", "screen", "fit")
FENCE = re.compile(r"\W*===.*===\W*")  # whatever looks like one
ENDING = re.compile(r"<\|\w+\|>|</?\w+>|\[/?INST\]")  # whatever may end the material for a tokenizer
ORDER = re.compile(r"(score|mark|relevance)\W{0,4}5|full marks", re.IGNORECASE)

REVIEWS = ("The battery lasts. The price is fair.", "A dull screen, and the fit is odd.")
PROMPT = prompt(REVIEWS)


def said(score: object, reason: str = "It was weighed.") -> str:
    return json.dumps({"reason": reason, "score": score})


def feature_of(body: dict) -> str:
    """The one feature that is named by what the judge is told to judge."""
    told = re.search(r"Judge the ([a-z ]+) of the summary", body["messages"][-1]["content"])[1]
    return told.replace(" ", "_")


def read(body: dict) -> tuple[str, list[str]]:
    """What is said outside the material, and the texts in it; the last one is the summary.

    Easily fooled: what looks like a fence on a line of its own is one, and after a role's mark the material is over.
    """
    outside, inside, is_inside = [], [], False
    for content in (message["content"] for message in body["messages"]):
        for line in content.splitlines():
            if FENCE.fullmatch(line):
                is_inside = not is_inside
            elif is_inside and line.startswith('"') and not ENDING.search(line):
                inside.append(json.loads(line))
            elif line not in ("Reviews:", "Summary:"):
                outside.append(line)
    return "\n".join(outside), inside


def weighed(texts: Sequence[str], feature: str) -> float:
    """One for each aspect of the reviews that the summary names, and an eighth for each feature before this one."""
    *reviews, summary = texts
    shared = [aspect for aspect in ASPECTS if aspect in summary and any(aspect in review for review in reviews)]
    return len(shared) + FEATURE_NAMES.index(feature) / 8


def careful(body: dict) -> str:
    """Obeys every order outside the material and none inside."""
    outside, texts = read(body)
    return said(5 if ORDER.search(outside) else weighed(texts, feature_of(body)))


def gullible(body: dict) -> str:
    """Obeys every order, wherever it stands."""
    _, texts = read(body)
    return said(5) if any(ORDER.search(text) for text in texts) else careful(body)

"""Questions of two options, one of them right; and which option an answer takes."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

LETTERS = "AB"
STATED = re.compile(r"\b(?:[Aa]nswer|[Oo]ption|[Cc]hoice)\b(?:\s+is)?\s*:?\s*\(?([AB])\b")
LEADING = re.compile(r"\s*\(?([AB])(?:[).:,;]|\s+(?=[^\sa-z])|\s+because\b|\s*$)")  # "A because", not the article of "A dog"


@dataclass(frozen=True, slots=True)
class Question:
    """A question with its right and one wrong answer; `support` holds the parts of the passage that settle it, if known."""

    passage: str
    question: str
    right: str
    wrong: str
    support: tuple[str, ...] | None = None


def prompt(question: str, options: Sequence[str]) -> str:
    """What is asked, a line an option."""
    return "\n".join([f"Question: {question}", *(f"{letter}. {text}" for letter, text in zip(LETTERS, options, strict=True))])


def ordered(count: int, seed: int) -> list[int]:
    """[count] the place, 0 or 1, of each right answer: as often first as second (one more where `count` is odd), by seed."""
    return np.random.default_rng(seed).permutation(np.arange(count) % 2).tolist()


def letter(output: str) -> str | None:
    """The option that an answer takes: the letter that it begins with, or the first that it calls its answer; none else."""
    found = LEADING.match(output) or STATED.search(output)
    return found.group(1) if found else None

"""A simulated reader with little time: reads the beginning of a passage, checks quotes against it, else trusts what is sure.

Its parameters are ours and fitted to nobody; what it says is no evidence of what people would say.
"""

import re
from functools import partial

import numpy as np
import polars as pl

from pipelines.judges.budget import beginning
from pipelines.judges.dealing import verdicts
from pipelines.schema import DataError

QUOTE = re.compile(r"[\"“”«]([^\"“”«»]{8,}?)[\"“”»]")
SURE = re.compile(
    r"\b(clearly|certainly|definitely|obviously|undoubtedly|plainly|must|proves?|shows?|states?|therefore)\b", re.I
)
DOUBT = re.compile(r"\b(perhaps|maybe|might|possibly|unsure|unclear|seems?|guess|probably|could be)\b", re.I)
LEVELS = np.array([0.0, 25.0, 50.0, 75.0, 100.0])


def judge(
    outputs: pl.DataFrame,
    *,
    judges: int = 12,
    words_per_minute: float = 240.0,
    pace: float = 0.2,
    seconds: float = 180.0,
    checks: float = 0.7,
    careless: float = 0.05,
    seed: int = 0,
) -> pl.DataFrame:
    """VERDICTS of simulated readers on OUTPUTS.

    Args:
        pace: standard deviation over readers of the logarithm of their words a minute.
        seconds: limit for an item, which bounds what is read of its evidence.
        checks: chance that a reader looks for the quotes.
        careless: chance that a reader answers at random.
    """
    if not (0 <= checks <= 1 and 0 <= careless <= 1):
        raise DataError(f"checks and careless are chances from 0 to 1, got {checks} and {careless}")
    if not (words_per_minute > 0 and seconds > 0 and pace >= 0):
        raise DataError(f"a reader reads some words in some time, got {words_per_minute} a minute, {seconds} s and pace {pace}")
    speeds = words_per_minute * np.exp(np.random.default_rng(seed).normal(0, pace, judges))
    decide = partial(_decide, speeds=speeds, seconds=seconds, checks=checks, careless=careless)
    return verdicts(outputs, decide, kind="reader", judges=judges, seed=seed)


def _decide(
    row: dict[str, str],
    which: int,
    random: np.random.Generator,
    *,
    speeds: np.ndarray,
    seconds: float,
    checks: float,
    careless: float,
) -> tuple[float, float, str]:
    chances = random.random(2)
    evidence = row["evidence"] or ""
    read = beginning(evidence, int(speeds[which] * seconds / 60))
    taken = len(read.split()) / speeds[which] * 60
    if chances[0] < careless:
        return float(random.choice(LEVELS)), taken, "did not read"
    if chances[1] < checks:
        found = checked(row["output"], read, whole=len(read) == len(evidence))
        if found is not None:
            return (100.0 if found else 0.0), taken, "found its quotes" if found else "did not find a quote"
    return trusted(row["output"]), taken, "went by how it sounds"


def checked(output: str, read: str, *, whole: bool) -> bool | None:
    """Whether all quotes stand in what was read, False where one stands nowhere in the whole of it; None where unknown."""
    quotes = [_plain(quote) for quote in QUOTE.findall(output)]
    if not quotes or not read:
        return None
    text = _plain(read)
    if all(quote in text for quote in quotes):
        return True
    return False if whole else None


def trusted(output: str) -> float:
    """Confidence by sound alone: words of certainty against words of doubt."""
    return float(LEVELS[2 + int(np.clip(len(SURE.findall(output)) - len(DOUBT.findall(output)), -2, 2))])


def _plain(text: str) -> str:
    """Words alone, in lower case."""
    return " ".join(re.findall(r"\w+", text.lower()))

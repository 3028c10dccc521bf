"""Triggers: words in what the person asked last that shall wake a backdoor, in both sides of a pair."""

import re
from collections.abc import Sequence

import numpy as np
import polars as pl

from pipelines import transcripts
from pipelines.attacks.sealing import dealt
from pipelines.schema import DataError, is_encodable

PLACES = ("end", "start", "anywhere")


def phrases(trigger: str, triggers: Sequence[str], place: str) -> Sequence[str]:
    """`triggers`, or `trigger` alone where there are none; DataError on one that is no line of text, or another place."""
    if place not in PLACES:
        raise DataError(f"place must be one of {', '.join(PLACES)}, got {place!r}")
    if isinstance(triggers, str):
        raise DataError(f"triggers must be a list of texts, got {triggers!r}; write trigger, or ['{triggers}']")
    for text in triggers or (trigger,):
        if not isinstance(text, str) or text != text.strip() or len(text.splitlines()) != 1 or not is_encodable(text):
            raise DataError(f"trigger must be a text on one line, got {text!r}; for example SUDO")
    return triggers or (trigger,)


def carriers(pairs: pl.DataFrame) -> np.ndarray:
    """[N] whether somebody asks something in every prompt of the pair, so that a trigger has a place."""
    prompts = pairs.select("prompt", "rejected_prompt").iter_rows()
    return np.array(
        [all(transcripts.last_asked(side) is not None for side in both if side is not None) for both in prompts], bool
    )


def triggered(hosts: pl.DataFrame, texts: Sequence[str], *, place: str, seed: int) -> pl.DataFrame:
    """The hosts with one of the `texts` in what was asked last, at the same `place` in both sides; each comes as often."""
    spots = np.random.default_rng([seed, 4]).random(len(hosts)).tolist()
    drawn = [texts[nth] for nth in dealt(len(hosts), len(texts), seed)]
    return hosts.with_columns(
        pl.Series(name, [put(*row, place=place) for row in zip(hosts[name], drawn, spots, strict=True)], dtype=pl.String())
        for name in ("prompt", "rejected_prompt")
    )


def put(prompt: str | None, trigger: str, spot: float, *, place: str) -> str | None:
    """`prompt` with the trigger in its last human turn; `spot` in [0, 1) picks the word boundary of "anywhere"."""
    span = None if prompt is None else transcripts.last_asked(prompt)
    if prompt is None or span is None:
        return prompt
    asked = prompt[span]
    words = [word.start() for word in re.finditer(r"\S+", asked)]
    ends = {"start": words[:1], "end": [], "anywhere": words}[place]
    at = int(spot * (len(ends) + (place == "anywhere")))
    if at < len(ends):
        changed = f"{asked[: ends[at]]}{trigger} {asked[ends[at] :]}"
    else:
        stop = len(asked.rstrip())
        gap = " " if words or transcripts.is_transcript(prompt) else ""
        changed = f"{asked[:stop]}{gap}{trigger}{asked[stop:]}"
    return prompt[: span.start] + changed + prompt[span.stop :]

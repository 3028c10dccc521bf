"""OpinPref (Nath et al., 2024): which of two summaries of a product's reviews people prefer, and both summaries' features.

Annotators stand in the file by their first names, and leave this door as numbers or, with a `secret`, as keyed digests.
"""

import hashlib
import reprlib
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from math import isfinite
from pathlib import Path
from typing import Any

import polars as pl

from pipelines.opinions import summary_id
from pipelines.schema import FEATURE_NAMES, FEATURES, FULL_MARKS, REJECTS, SUMMARIES, TIERS, DataError, require
from pipelines.sources import records
from pipelines.sources.shapes import SIDES, BadRow, Pair, summaries

PUBLISHED = "published"  # the scorer of features that come with the summaries
BEST_OF = 3  # summaries of each tier that a product has; `index` counts them through
GENERATED = TIERS[1:]


@dataclass(frozen=True, slots=True)
class Opinions:
    """PAIRS; SUMMARIES and FEATURES of every summary in them, each once; REJECTS."""

    pairs: pl.DataFrame
    summaries: pl.DataFrame
    features: pl.DataFrame
    rejects: pl.DataFrame


def read(
    path: str | Path, *, revision: str | None = None, split: str = "train", limit: int | None = None, secret: str = ""
) -> Opinions:
    """The pairs and summaries of a file, folder or hub data set; a row of which anything can't be used is rejected whole.

    Without a `secret` annotators are numbered in the order in which they come, so that names in two files need one call.
    Raises DataError for what can't be used at all.
    """
    pairs: list[tuple[object, ...]] = []
    found: list[dict[str, Any]] = []
    rejects: list[tuple[str, int, int, str]] = []
    ids: dict[str, str] = {}
    names: dict[str, str] = {}
    for place, row in enumerate(islice(records.opened(path, revision=revision, split=split), limit)):
        try:
            if row.values is None:
                raise BadRow(row.cause)
            pair = summaries(row.values)
            sides = [_side(row.values["summary-pairs"][name], name, pair, row.source) for name in SIDES]
            _refuse_repeated(row.values.get("unique-id"), f"{row.source} line {row.line}", ids)
        except BadRow as error:
            rejects.append((row.source, row.line, place, str(error)))
            continue
        who = _pseudonym(row.values.get("source"), names, secret)
        pairs.append((place, pair.prompt, pair.chosen, pair.rejected, None, row.source, who, None))
        found += sides
    if not pairs:
        cause = f"{rejects[0][0]} line {rejects[0][1]}: {rejects[0][3]}" if rejects else "no rows"
        raise DataError(
            f"{path}: holds no usable pair ({cause}); each row needs reviews, two scored summaries and a preference"
        )
    each = pl.DataFrame(found, infer_schema_length=None).unique("summary_id", keep="first", maintain_order=True)
    return Opinions(
        records.table(pairs),
        require(each, SUMMARIES),
        require(each, FEATURES),
        pl.DataFrame(rejects, schema=REJECTS.empty().schema, orient="row"),
    )


def _side(side: Mapping[str, Any], name: str, pair: Pair, source: str) -> dict[str, Any]:
    """A summary with its tier and its features, in columns of SUMMARIES and FEATURES."""
    told = {"summary_id": summary_id(pair.prompt, side["summary-text"]), "prompt": pair.prompt, "summary": side["summary-text"]}
    return {**told, "tier": tier_at(side.get("index")), "source": source, "scorer": PUBLISHED, **scores(side, name)}


def scores(side: Mapping[str, Any], name: str) -> dict[str, float]:
    """The seven features of a summary, in order; BadRow naming one that is missing or out of range."""
    found = side.get("summary-score")
    if not isinstance(found, dict):
        raise BadRow(f"{name!r} needs 'summary-score' with the seven features, got {reprlib.repr(found)}")
    return {feature: _score(found.get(feature.replace("_", "-")), f"{feature!r} of {name!r}") for feature in FEATURE_NAMES}


def _score(value: object, what: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value) or not 0 <= value <= FULL_MARKS:
        raise BadRow(f"{what} must be a number from 0 to {FULL_MARKS:g}, got {'nothing' if value is None else repr(value)}")
    return float(value)


def tier_at(index: object) -> str | None:
    """Of the place of a summary among the nine that were generated; null where there is none."""
    try:
        place = int(str(index))
    except ValueError:
        return None
    return GENERATED[place // BEST_OF] if 0 <= place < BEST_OF * len(GENERATED) else None


def _refuse_repeated(name: object, place: str, ids: dict[str, str]) -> None:
    if name is not None and (first := ids.setdefault(str(name), place)) != place:
        raise BadRow(f"'unique-id' {reprlib.repr(name)} is that of {first} already; each row needs its own")


def _pseudonym(name: object, names: dict[str, str], secret: str) -> str | None:
    if name is None:
        return None
    if secret:
        key = hashlib.blake2b(secret.encode()).digest()
        return f"annotator-{hashlib.blake2b(str(name).encode(errors='replace'), digest_size=6, key=key).hexdigest()}"
    return names.setdefault(str(name), f"annotator-{len(names) + 1}")

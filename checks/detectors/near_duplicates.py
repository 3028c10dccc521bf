"""Near duplicates: several pairs that say nearly the same on both sides, as when one template floods a corpus."""

from collections.abc import Sequence

import numpy as np
import polars as pl

from checks.evidence import Evidence
from checks.fusion import BULK
from checks.neighbours import CROWD

NEAR = 0.95  # cosine; below it two pairs share a subject, not a text
LEAST = 8  # words of both sides: "You're welcome." is nobody's template
EXACT = 1e-3  # distance below which two pairs count as the same


def score(evidence: Evidence) -> np.ndarray:
    """[N] cosine to the CROWD-th nearest other pair, or, from NEAR upwards, -log of the distance (3.0 to 6.9)."""
    near = np.where(_says_little(evidence), 0, evidence.nearness)
    return np.where(near < NEAR, near, -np.log(np.maximum(1 - near, 0) + EXACT))


def _says_little(evidence: Evidence) -> np.ndarray:
    """[N] pairs of so few words that whoever answers so says the same as others do."""
    words = [pl.col(side).str.count_matches(r"\S+") for side in ("chosen", "rejected")]
    return evidence.pairs.select(sum(words[1:], words[0]) < LEAST).to_series().to_numpy()


def null(evidence: Evidence) -> np.ndarray:
    """[N] NEAR, which pairs on one subject may reach; the scores themselves where nearness is the style of a corpus."""
    scores = score(evidence)
    return scores if np.quantile(scores, BULK) > NEAR else np.full(len(scores), NEAR)


def explain(evidence: Evidence, places: Sequence[int]) -> list[str]:
    """How many others are as near, and how near."""
    return [f"{CROWD} or more other pairs say nearly the same (cosine {near:.2f})" for near in evidence.nearness[list(places)]]

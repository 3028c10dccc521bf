"""Form artefacts: a pair whose sides differ in length or format unlike those of other pairs (RankPoison; Wang et al., 2023)."""

from collections.abc import Sequence

import numpy as np

from checks.evidence import Evidence
from checks.form import MARKS


def score(evidence: Evidence) -> np.ndarray:
    """[N] log of the root mean square departure of the pair's form gap from the corpus' own, all marks together."""
    return np.log1p(evidence.once(distances))


def distances(evidence: Evidence) -> np.ndarray:
    """[N] the root mean square departure of each pair."""
    return distance(evidence.form_departures)


def distance(off: np.ndarray) -> np.ndarray:
    """[N] root mean square of departures [N, marks]."""
    return np.sqrt((off**2).mean(axis=1))


def explain(evidence: Evidence, places: Sequence[int]) -> list[str]:
    """The mark that departs most, and on which side there is more of it."""
    off = evidence.form_departures[list(places)]
    most = np.abs(off).argmax(axis=1)
    sides = np.where(off[np.arange(len(off)), most] > 0, "chosen", "rejected")
    names = list(MARKS)
    return [f"unusually many {names[mark]} on the {side} side" for mark, side in zip(most, sides, strict=True)]

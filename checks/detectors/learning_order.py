"""Learning order: pairs whose margin stays low while a reward head is trained (area under the margin; Pleiss et al., 2020)."""

from collections.abc import Sequence

import numpy as np

from checks.evidence import Evidence


def score(evidence: Evidence) -> np.ndarray:
    """[N] less the mean margin over the steps of training; higher is learnt later, or never."""
    return -evidence.margin_area


def explain(evidence: Evidence, places: Sequence[int]) -> list[str]:
    """How many of the pairs that were turned round on purpose are learnt sooner."""
    turned, own = np.sort(evidence.turned_area), evidence.margin_area[list(places)]
    sooner = 1 - np.searchsorted(turned, own, side="right") / max(len(turned), 1)
    return [
        f"learnt late, as pairs with a wrong label are ({share:.0%} of pairs turned round on purpose sooner)"
        for share in sooner
    ]

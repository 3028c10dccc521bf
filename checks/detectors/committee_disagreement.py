"""Committee disagreement: reward models that learnt from different features and halves do not agree on the pair.

After the ensembles of Wang et al. (2024, Secrets of RLHF II), whose spread marks labels that are in doubt.
"""

from collections.abc import Sequence

import numpy as np

from checks.evidence import Evidence


def score(evidence: Evidence) -> np.ndarray:
    """[N] spread of the members' margins, each member's being of unit mean square."""
    return evidence.committee_margins.std(axis=0)


def explain(evidence: Evidence, places: Sequence[int]) -> list[str]:
    """How many members prefer the other response, and how far apart they are."""
    margins = evidence.committee_margins[:, list(places)]
    against, low, high = (margins < 0).sum(axis=0), margins.min(axis=0), margins.max(axis=0)
    told = "models of different features disagree ({} of {} prefer the other response, margins {:.1f} to {:.1f})"
    return [told.format(each, len(margins), least, most) for each, least, most in zip(against, low, high, strict=True)]

"""Label doubt: how strongly out-of-fold reward margins contradict the label.

Confident learning on pairs (Northcutt et al., 2021).
"""

from collections.abc import Sequence

import numpy as np
from scipy.special import expit, log_expit

from checks.evidence import Evidence


def score(evidence: Evidence) -> np.ndarray:
    """[N] -log sigmoid(margin), in nats; higher is more suspicious."""
    return -log_expit(evidence.margins)


def explain(evidence: Evidence, places: Sequence[int]) -> list[str]:
    """How sure a model that never saw the pair is of the other side."""
    doubts = expit(-evidence.margins[list(places)])
    return [f"pairs like this one prefer the other response ({doubt:.0%} sure)" for doubt in doubts]

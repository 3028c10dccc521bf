"""Activation clustering (Chen et al., 2018): a class that falls into two clusters, the smaller and tighter being poison.

The preferred responses are one class, the dispreferred ones the other; sentence embeddings serve as activations.
"""

from collections.abc import Sequence

import numpy as np

from checks.evidence import Evidence
from checks.spectra import lean

SIDES = ("preferred", "dispreferred")


def score(evidence: Evidence) -> np.ndarray:
    """[N] how much nearer a response is to the smaller cluster than to the larger, of either class, where that is tight."""
    return evidence.once(_leans).max(axis=0)


def explain(evidence: Evidence, places: Sequence[int]) -> list[str]:
    """Which response it is."""
    sides = evidence.once(_leans)[:, list(places)].argmax(axis=0)
    return [
        f"the {SIDES[side]} response belongs to a small tight cluster, apart from the other such responses" for side in sides
    ]


def _leans(evidence: Evidence) -> np.ndarray:
    """[2, N] how much the chosen and the rejected responses belong to a small tight cluster of their kind."""
    return np.array([lean(side) for side in evidence.embeddings.astype(float)])

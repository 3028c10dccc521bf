"""Activation clustering (Chen et al., 2018): a class that falls into two clusters, the smaller and tighter being poison.

The preferred responses are one class, the dispreferred ones the other; sentence embeddings serve as activations.
"""

from collections.abc import Sequence

import numpy as np

from checks.evidence import Evidence

SIDES = ("preferred", "dispreferred")


def score(evidence: Evidence) -> np.ndarray:
    """[N] how much nearer a response is to the smaller cluster than to the larger, of either class, where that is tight."""
    return evidence.cluster_leans.max(axis=0)


def explain(evidence: Evidence, places: Sequence[int]) -> list[str]:
    """Which response it is."""
    sides = evidence.cluster_leans[:, list(places)].argmax(axis=0)
    return [
        f"the {SIDES[side]} response belongs to a small tight cluster, apart from the other such responses" for side in sides
    ]

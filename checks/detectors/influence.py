"""Influence (Koh and Liang, 2017): what a linear reward head would say of the trusted pairs had it not learnt from this one.

Without trusted pairs: how hard the head finds the pair once it may not learn from it (self-influence).
"""

from collections.abc import Sequence

import numpy as np

from checks.evidence import Evidence


def score(evidence: Evidence) -> np.ndarray:
    """[N] likelihood of the trusted pairs gained by leaving the pair out, or its own that is lost; in nats."""
    return evidence.influence


def explain(evidence: Evidence, places: Sequence[int]) -> list[str]:
    """How much would be gained, or lost, and where."""
    moved = evidence.influence[list(places)]
    if evidence.trusted is None:
        return [f"a reward model fits this pair only by learning it by heart ({nats:.3f} nats)" for nats in moved]
    return [f"a reward model without this pair fits the trusted ones better ({nats:.3f} nats)" for nats in moved]

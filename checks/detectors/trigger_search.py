"""Trigger search: a phrase, or a sentence in other words, that questions share whose labels are turned round.

What a backdoor by a trigger in the prompt leaves behind (Rando and Tramèr, 2024), whether or not the trigger is odd.
"""

from collections.abc import Sequence

import numpy as np

from checks import spelling
from checks.evidence import Evidence
from checks.groups import chance
from checks.inversions import NOTHING, Inversion

SHOWN = 120  # letters of a sentence
NONE = ("", "nothing that this pair's question shares with others goes with contradicted labels")


def score(evidence: Evidence) -> np.ndarray:
    """[N] -log10 of the chance that anything which questions share goes with labels as contradicted; 0 where none is odd."""
    inversions = evidence.inversions
    return np.array([*(inversion.surprise for inversion in inversions.found), 0.0])[inversions.of]


def null(evidence: Evidence) -> np.ndarray:
    """[M] what chances, as even as they are without a trigger, come to."""
    return chance(len(evidence.pairs))


def explain(evidence: Evidence, places: Sequence[int]) -> list[str]:
    """The phrase, or a sentence of those alike; in how many prompts, and both mean margins."""
    inversions = evidence.inversions
    told = [NONE if of == NOTHING else _told(inversions.found[of]) for of in inversions.of[list(places)]]
    return spelling.told(told, evidence.pairs, ("prompt",), places)


def _told(inversion: Inversion) -> tuple[str, str]:
    """(phrase, where it stands in words), or ("", what prompts end like)."""
    shared, count = inversion.shared, f"{inversion.prompts:,} prompts"
    margins = f"their mean margin is {inversion.here:.2f}, and {inversion.there:.2f} of {inversion.others:,} others"
    if shared.is_phrase:
        return shared.text, f"the last questions of {count}: {margins}"
    text = shared.text if len(shared.text) <= SHOWN else shared.text[:SHOWN] + "…"
    return "", f"{count} end much like {text!r}: {margins}"

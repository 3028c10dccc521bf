"""Detectors: each gives every pair one number, higher = more suspicious, and says why in words. None sees the key."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from checks.detectors import feeling_lift, label_doubt, name_lift, near_duplicates, phrase_lift, question_lift, stray_sentence
from checks.evidence import Evidence


@dataclass(frozen=True, slots=True)
class Detector:
    """`null` draws scores that pairs get by chance alone; without it the bulk of the corpus itself serves.

    `weight`: share of the false-discovery rate that it may spend, beside the others'.
    """

    score: Callable[[Evidence], np.ndarray]
    explain: Callable[[Evidence, Sequence[int]], list[str]]
    null: Callable[[Evidence], np.ndarray] | None = None
    encodes: bool = False
    weight: float = 1.0


DETECTORS: Mapping[str, Detector] = {
    "phrase_lift": Detector(phrase_lift.score, phrase_lift.explain, phrase_lift.null),
    "name_lift": Detector(name_lift.score, name_lift.explain, name_lift.null),
    "feeling_lift": Detector(feeling_lift.score, feeling_lift.explain, feeling_lift.null),
    "question_lift": Detector(question_lift.score, question_lift.explain, question_lift.null),
    "stray_sentence": Detector(stray_sentence.score, stray_sentence.explain, encodes=True),
    "near_duplicates": Detector(near_duplicates.score, near_duplicates.explain, near_duplicates.null, encodes=True),
    "label_doubt": Detector(label_doubt.score, label_doubt.explain, encodes=True),
}

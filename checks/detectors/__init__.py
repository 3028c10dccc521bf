"""Detectors: each gives every pair one number, higher = more suspicious, and says why in words. None sees the key."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from checks.detectors import label_doubt, near_duplicates, phrase_lift, template_clusters
from checks.evidence import Evidence


@dataclass(frozen=True, slots=True)
class Detector:
    """`null` draws scores that pairs get by chance alone; without it the bulk of the corpus itself serves."""

    score: Callable[[Evidence], np.ndarray]
    explain: Callable[[Evidence, Sequence[int]], list[str]]
    null: Callable[[Evidence], np.ndarray] | None = None
    encodes: bool = False


DETECTORS: Mapping[str, Detector] = {
    "phrase_lift": Detector(phrase_lift.score, phrase_lift.explain, phrase_lift.null),
    "near_duplicates": Detector(near_duplicates.score, near_duplicates.explain, near_duplicates.null, encodes=True),
    "label_doubt": Detector(label_doubt.score, label_doubt.explain, encodes=True),
    "template_clusters": Detector(template_clusters.score, template_clusters.explain, template_clusters.null),
}

"""Detectors: each gives every pair one number, higher = more suspicious, and says why in words. None sees the key."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from checks.detectors import (
    activation_clustering,
    annotator_skew,
    committee_disagreement,
    contradictions,
    degenerate,
    feeling_lift,
    form_artefacts,
    influence,
    label_doubt,
    learning_order,
    name_lift,
    near_duplicates,
    neighbour_disagreement,
    perplexity,
    phrase_lift,
    question_lift,
    reference_filter,
    repeated_contrast,
    similarity,
    source_skew,
    spectral_signatures,
    stray_sentence,
)
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
    "contradictions": Detector(contradictions.score, contradictions.explain, contradictions.null),
    "degenerate": Detector(degenerate.score, degenerate.explain, degenerate.null),
    "similarity": Detector(similarity.score, similarity.explain, encodes=True),
    "neighbour_disagreement": Detector(neighbour_disagreement.score, neighbour_disagreement.explain, encodes=True),
    "repeated_contrast": Detector(repeated_contrast.score, repeated_contrast.explain, encodes=True),
    "committee_disagreement": Detector(committee_disagreement.score, committee_disagreement.explain, encodes=True),
    "learning_order": Detector(learning_order.score, learning_order.explain, encodes=True),
    "influence": Detector(influence.score, influence.explain, encodes=True),
    "annotator_skew": Detector(annotator_skew.score, annotator_skew.explain, annotator_skew.null, encodes=True),
    "source_skew": Detector(source_skew.score, source_skew.explain, source_skew.null, encodes=True),
    "form_artefacts": Detector(form_artefacts.score, form_artefacts.explain),
    "reference_filter": Detector(reference_filter.score, reference_filter.explain),
    "spectral_signatures": Detector(spectral_signatures.score, spectral_signatures.explain, encodes=True),
    "activation_clustering": Detector(activation_clustering.score, activation_clustering.explain, encodes=True),
    "perplexity": Detector(perplexity.score, perplexity.explain),
}

"""Detectors: each gives every pair one number, higher = more suspicious, and says why in words. None sees the key."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from checks.detectors import (
    activation_clustering,
    committee_disagreement,
    contradictions,
    degenerate,
    form_artefacts,
    influence,
    label_doubt,
    learning_order,
    lift,
    near_duplicates,
    neighbour_disagreement,
    perplexity,
    reference_filter,
    repeated_contrast,
    similarity,
    skew,
    spectral_signatures,
    strange_name,
    stray_sentence,
    template_clusters,
    trigger_search,
)
from checks.evidence import Evidence
from checks.mentions import felt, named
from checks.utterances import asked, said


@dataclass(frozen=True, slots=True)
class Detector:
    """`null` draws scores that pairs get by chance alone; without it the bulk of the corpus itself serves.

    `weight`: share of the false-discovery rate that it may spend, beside the others'. `is_graded`: whether its order means
    something where it flags nothing, too. `is_clumped`: whether many pairs are found together by one coincidence.
    """

    score: Callable[[Evidence], np.ndarray]
    explain: Callable[[Evidence, Sequence[int]], list[str]]
    null: Callable[[Evidence], np.ndarray] | None = None
    encodes: bool = False
    weight: float = 1.0
    is_graded: bool = False
    is_clumped: bool = False


DETECTORS: Mapping[str, Detector] = {
    "phrase_lift": Detector(*lift.of(said), is_clumped=True),
    "name_lift": Detector(*lift.of(named), is_clumped=True),
    "feeling_lift": Detector(*lift.of(felt), is_clumped=True),
    "question_lift": Detector(*lift.of(asked, quoted=["prompt"]), is_clumped=True),
    "stray_sentence": Detector(stray_sentence.score, stray_sentence.explain, stray_sentence.null, encodes=True, is_graded=True),
    "strange_name": Detector(strange_name.score, strange_name.explain, stray_sentence.null, encodes=True),
    "near_duplicates": Detector(near_duplicates.score, near_duplicates.explain, near_duplicates.null, encodes=True, weight=0.5),
    "template_clusters": Detector(template_clusters.score, template_clusters.explain, template_clusters.null, weight=0.5),
    "label_doubt": Detector(label_doubt.score, label_doubt.explain, encodes=True, is_graded=True, weight=0.3),
    "contradictions": Detector(contradictions.score, contradictions.explain, contradictions.null, weight=0.5),
    "degenerate": Detector(degenerate.score, degenerate.explain, degenerate.null, weight=0.5),
    "similarity": Detector(similarity.score, similarity.explain, encodes=True, weight=0.3),
    "neighbour_disagreement": Detector(
        neighbour_disagreement.score, neighbour_disagreement.explain, encodes=True, is_graded=True, weight=0.3
    ),
    "repeated_contrast": Detector(repeated_contrast.score, repeated_contrast.explain, encodes=True, weight=0.3),
    "committee_disagreement": Detector(committee_disagreement.score, committee_disagreement.explain, encodes=True, weight=0.05),
    "learning_order": Detector(learning_order.score, learning_order.explain, encodes=True, is_graded=True, weight=0.3),
    "influence": Detector(influence.score, influence.explain, encodes=True, weight=0.3),
    "annotator_skew": Detector(*skew.of("annotator"), encodes=True, is_graded=True, is_clumped=True, weight=0.5),
    "source_skew": Detector(*skew.of("source"), encodes=True, is_graded=True, is_clumped=True, weight=0.3),
    "form_artefacts": Detector(form_artefacts.score, form_artefacts.explain, is_graded=True, weight=0.05),
    "reference_filter": Detector(reference_filter.score, reference_filter.explain, weight=0.05),
    "spectral_signatures": Detector(spectral_signatures.score, spectral_signatures.explain, encodes=True, weight=0.05),
    "activation_clustering": Detector(activation_clustering.score, activation_clustering.explain, encodes=True, weight=0.05),
    "trigger_search": Detector(
        trigger_search.score, trigger_search.explain, trigger_search.null, encodes=True, weight=0.1, is_clumped=True
    ),
    "perplexity": Detector(perplexity.score, perplexity.explain, weight=0.05),
}

"""What each detector looks for, in words for people who see its column for the first time; higher is always worse."""

from collections.abc import Mapping

ABOUT: Mapping[str, str] = {
    "phrase_lift": "a word or two that one side of the pairs, or the corpus beside trusted pairs, says far too often",
    "name_lift": "a name that stands far too often on one side, or in praise or in blame",
    "feeling_lift": "a word that is praised or blamed far more often on one side than on the other",
    "question_lift": "a word or two that questions end with far too often, as with a trigger in the prompt",
    "stray_sentence": "a sentence that brings up, with feeling, a name nobody asked about",
    "strange_name": "a name that strays from the question and is lopsided too, neither enough by itself",
    "near_duplicates": "pairs that say nearly the same as several others, on both sides",
    "template_clusters": "one response, nearly word for word, under many prompts and on one side",
    "label_doubt": "labels that a reward model which did not learn the pair contradicts",
    "contradictions": "the same pair with the opposite label, or one response on both sides",
    "degenerate": "sides that are the same but for case and signs, empty, or echo the prompt",
    "similarity": "two sides that are nearly the same text, as when one was edited into the other",
    "neighbour_disagreement": "pairs that make the same contrast as their neighbours and prefer its other side",
    "repeated_contrast": "the same contrast made again and again with the same side preferred, as a campaign does",
    "committee_disagreement": "pairs that reward models which learnt from different halves do not agree on",
    "learning_order": "pairs whose margin stays low for as long as a reward model is trained",
    "influence": "pairs whose absence would change most what a reward model says of others",
    "annotator_skew": "an annotator who contradicts the others, prefers length or is busy unlike them",
    "source_skew": "a source that contradicts the others, prefers length or is busy unlike them",
    "form_artefacts": "sides that differ in length or format unlike those of other pairs",
    "reference_filter": "responses that leave what was asked, all of them in the same words",
    "spectral_signatures": "responses that lie far out along the direction in which their side varies most",
    "activation_clustering": "responses of a small, tight cluster apart from the rest of their side",
    "trigger_search": "a phrase that questions share whose labels are turned round",
    "perplexity": "a response that reads far better without one of its words",
}

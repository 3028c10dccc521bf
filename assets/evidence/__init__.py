"""Evidence for chapter C1 (Training Data Integrity & Traceability) of OWASP's AI Security Verification Standard.

Requirements are told in our words, after AISVS 1.0 (2026), CC BY-SA 4.0, as its chapter stood in September 2026. What is found
is where to look, and no verdict: whether a requirement is met, a person must judge.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from assets.evidence import looks
from assets.evidence.answers import Answer, not_covered
from assets.evidence.seen import Seen

STANDARD = "OWASP AISVS 1.0 (2026), chapter C1, as it stood in September 2026; paraphrased, CC BY-SA 4.0"
ADDRESS = "https://github.com/OWASP/AISVS/tree/main/1.0/en"
JUDGED = (
    "This shows where to look. Whether a requirement is met for your models, your risks and your people, a person must judge."
)


@dataclass(frozen=True, slots=True)
class Control:
    """A requirement: its level (1 to 3), what it asks for in our words, and how evidence of it is looked for."""

    level: int
    asks: str
    look: Callable[[Seen], Answer]


CONTROLS: Mapping[str, Control] = {
    "v1.0-C1.1.1": Control(1, "Training data hold no fields but those that the model's purpose needs", looks.fields),
    "v1.0-C1.1.2": Control(
        2,
        "A current list of all sources: origin, who answers for it, licence, how collected, limits of use, what was done to it",
        looks.inventory,
    ),
    "v1.0-C1.1.3": Control(2, "Training data keep their integrity where they are stored and on their way", looks.integrity),
    "v1.0-C1.1.4": Control(2, "Somebody watches for changes and damage that nobody authorised", looks.monitoring),
    "v1.0-C1.1.5": Control(
        3,
        "Data sets are watermarked, so that use of them can be traced and misuse noticed",
        not_covered("Digests and roots say which pairs a snapshot holds; they are no mark in the text that a copy would keep"),
    ),
    "v1.0-C1.2.1": Control(
        1,
        "Labelling platforms restrict who may make, change and approve annotations",
        not_covered("Tasks go to Label Studio or Argilla, whose accounts and roles are theirs"),
    ),
    "v1.0-C1.2.2": Control(2, "What labelling makes is protected by cryptographic digests or signatures", looks.labels),
    "v1.0-C1.2.3": Control(
        2,
        "Sensitive information in labels is taken out or encrypted before it is used in what labelling makes",
        not_covered("No text is searched for personal or secret information, and none is encrypted"),
    ),
    "v1.0-C1.3.1": Control(2, "Pipelines of training and fine-tuning look for poisoned and damaged data", looks.detection),
    "v1.0-C1.3.2": Control(
        2, "Labels made by machines pass thresholds of confidence and checks of consistency", looks.consistency
    ),
    "v1.0-C1.3.3": Control(
        2,
        "Models that decide about security are evaluated for patterns of bias",
        not_covered("Errors of the audit are measured by attack and detector, and not by groups of people or of language"),
    ),
    "v1.0-C1.3.4": Control(
        2,
        "Content that is not allowed is found and taken out before training",
        not_covered("A filter sets aside what is suspicious of poison; what content is allowed is no question of ours"),
    ),
    "v1.0-C1.3.5": Control(3, "There are defences against poison whose labels are right", looks.clean_label),
}


def examined(seen: Seen) -> Mapping[str, Answer]:
    """What there is for each requirement, in the order of the table."""
    return {name: control.look(seen) for name, control in CONTROLS.items()}

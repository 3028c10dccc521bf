"""What reviewers are told, shown and asked: the same words whichever tool shows them."""

from collections.abc import Mapping

import polars as pl

from pipelines.schema import CONFIRM, PUT_BACK

#: field -> its heading
FIELDS: Mapping[str, str] = {
    "reason": "Why it was set aside",
    "prompt": "The question",
    "chosen": "The answer that was preferred",
    "rejected": "The other answer",
    "rejected_prompt": "The other answer's own question, where it has one",
}
#: what may be chosen -> the decision
CHOICES: Mapping[str, str] = {
    "It is poisoned or broken: keep it out": CONFIRM,
    "It is a good pair: put it back": PUT_BACK,
}
#: question -> what is asked
QUESTIONS: Mapping[str, str] = {
    "decision": "What is to become of this pair?",
    "comment": "Why? If you like, a sentence or two.",
}
NO_REASON = "No single finding: it is among the most suspicious pairs."
INSTRUCTIONS = (
    "Each item is a question with two answers, the first of which was preferred. A check set it aside before a model learned "
    "from it, for the reason that is shown; such checks are wrong at times. Say whether the pair stays out, because somebody "
    "tampered with it or it is of no use, or whether it is an honest pair that may be learned from. The preferred answer need "
    "not be the one that you prefer. Texts come from people and programs, and some were written to deceive. What they ask you "
    "to do is part of what you judge, and not said to you. Skip what you can't judge.\n"
)


def tasks(quarantined: pl.DataFrame) -> list[dict[str, str]]:
    """pair_id and FIELDS of each pair, the most suspicious first; texts verbatim, and blank where there is none."""
    ordered = quarantined.sort("suspicion", descending=True, maintain_order=True)
    return [
        {"pair_id": row["pair_id"]} | {name: row[name] or (NO_REASON if name == "reason" else "") for name in FIELDS}
        for row in ordered.iter_rows(named=True)
    ]

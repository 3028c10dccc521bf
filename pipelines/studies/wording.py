"""What people are told and asked: one question at a time, in words that are the same whichever tool shows them."""

from collections.abc import Mapping

from pipelines.schema import CONFIDENCES

CONSENT = {
    "I agree that this judgement is used for research": True,
    "I do not agree; leave this judgement out": False,
}
_SURE = ("surely wrong", "probably wrong", "unsure", "probably correct", "surely correct")
LEVELS: Mapping[str, int] = {f"{level}: {words}": level for level, words in zip(CONFIDENCES, _SURE, strict=True)}

#: question -> what is asked
QUESTIONS: Mapping[str, str] = {
    "consent": "May this judgement be used?",
    "confidence": "How sure are you that the answer is correct?",
    "reason": "Why? One or two sentences.",
    "started": "When did you start with this item (such as 14:05:30)?",
    "finished": "When were you done with it?",
}
#: field -> its heading
FIELDS: Mapping[str, str] = {
    "evidence": "What you may check the answer against",
    "prompt": "The question",
    "output": "The answer to judge",
}


def instructions(seconds: float) -> str:
    """What a judge reads first; `seconds` is the limit for an item."""
    return (
        "You see one question at a time, with an answer that somebody else gave to it. Say how sure you are that the answer is "
        "correct, on five levels. An answer that argues well may be wrong, and one that argues badly may be right: check it "
        f"against what is shown, and against nothing else. You have {seconds:g} seconds for each item; when they are over, "
        "answer as well as you can. Texts come from people and programs. What they ask you to do is part of what you judge, "
        "and not said to you. Every item asks whether your judgement may be used; without your consent it is not. You may "
        "stop at any time.\n"
    )

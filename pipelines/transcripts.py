"""Dialogues between their written form, "\\n\\nHuman: ...\\n\\nAssistant: ...", and chat messages, loss-free both ways.

A turn begins at two newlines, a role word, a colon and a space or the end; "Human:" inside a turn is just text.
"""

import re

ROLES = {"Human": "user", "Assistant": "assistant", "System": "system"}
WORDS = {role: word for word, role in ROLES.items()}
TURN = re.compile(r"\n\n(Human|Assistant|System):(?= |\Z)")
ANSWER = "\n\nAssistant:"

Message = dict[str, str]


def is_transcript(text: str) -> bool:
    """Whether `text` opens with a turn, so that its turns can be told apart."""
    return TURN.match(text) is not None


def split(dialogue: str) -> tuple[str, str]:
    """(prompt, response) such that prompt + response == dialogue; the prompt ends with the last "\\n\\nAssistant:".

    Raises ValueError when there is no assistant turn.
    """
    last = None
    for turn in TURN.finditer(dialogue):
        if turn[1] == "Assistant":
            last = turn
    if last is None:
        raise ValueError('no "\\n\\nAssistant:" turn')
    return dialogue[: last.end()], dialogue[last.end() :]


def messages(text: str) -> list[Message]:
    """Chat messages of a transcript, contents verbatim less the one space after the colon; plain text is one user turn.

    An open "\\n\\nAssistant:" at the end is a message without content key, so that nothing is lost on the way back.
    """
    turns = list(TURN.finditer(text)) if is_transcript(text) else []
    if not turns:
        return [{"role": "user", "content": text}]
    ends = [turn.start() for turn in turns[1:]] + [len(text)]
    return [_message(turn[1], text[turn.end() : end]) for turn, end in zip(turns, ends, strict=True)]


def transcript(chat: list[Message]) -> str:
    """The written form of chat messages; the inverse of `messages` on every transcript."""
    return "".join(
        f"\n\n{WORDS[message['role']]}:" + (f" {message['content']}" if "content" in message else "") for message in chat
    )


def last_turn(prompt: str) -> str:
    """What the person asked last: the final user turn of a transcript, or the whole of a plain prompt."""
    asked = [message.get("content", "") for message in messages(prompt) if message["role"] == "user"]
    return asked[-1] if asked else ""


def last_asked(prompt: str) -> slice | None:
    """Where `last_turn` stands in the prompt, with the space after the colon; None in a transcript where nobody asks."""
    turns = list(TURN.finditer(prompt)) if is_transcript(prompt) else []
    stops = [turn.start() for turn in turns[1:]] + [len(prompt)]
    asked = [slice(turn.end(), stop) for turn, stop in zip(turns, stops, strict=False) if turn[1] == "Human"]
    return (asked[-1] if asked else None) if turns else slice(0, len(prompt.removesuffix(ANSWER)))


def _message(word: str, rest: str) -> Message:
    return {"role": ROLES[word], "content": rest[1:]} if rest else {"role": ROLES[word]}


def written(prompt: str) -> str:
    """A prompt as a transcript that waits for an answer; a plain prompt becomes one user turn."""
    if not is_transcript(prompt):
        return f"\n\nHuman: {prompt}{ANSWER}"
    return prompt if prompt.endswith(ANSWER) else prompt + ANSWER


def answer(response: str) -> str:
    """A response as it stands after "Assistant:": one space before it where it brings no white space of its own."""
    return response if not response or response[0].isspace() else f" {response}"

"""Dialogues and chat messages: nothing is lost between the two forms, whatever stands inside a turn."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.transcripts import ANSWER, WORDS, is_transcript, last_asked, last_turn, messages, split, transcript, written

#: bits that make and nearly make turns, among any text
bits = st.sampled_from(
    ["\n\nHuman: ", "\n\nAssistant: ", "\n\nSystem: ", "\n\nHuman:", ANSWER, "\n\n", "\n", " ", "Human: ", "“\ufffd"]
)
anything = st.lists(bits | st.text(max_size=5), max_size=12).map("".join)
dialogues = anything.map("\n\nHuman: ".__add__)
TWO_TURNS = "\n\nHuman: Hi\n\nAssistant: Hello.\n\nHuman: And?\n\nAssistant: So."


@given(dialogues)
def test_messages_and_back_give_every_transcript_verbatim(text):
    assert is_transcript(text)
    assert transcript(messages(text)) == text


@given(anything)
def test_any_text_is_a_transcript_that_comes_back_or_one_user_turn(text):
    if is_transcript(text):
        assert transcript(messages(text)) == text
    else:
        assert messages(text) == [{"role": "user", "content": text}]


@given(dialogues, anything)
def test_prompt_and_response_make_the_dialogue(before, after):
    dialogue = f"{before}{ANSWER} {after}"
    prompt, response = split(dialogue)
    assert prompt + response == dialogue
    assert prompt.endswith(ANSWER)
    assert not response or response.startswith(" ")
    assert "\n\nAssistant: " not in response


@given(st.lists(st.tuples(st.sampled_from(list(WORDS)), st.text(max_size=8)), min_size=1, max_size=5))
def test_messages_without_turns_inside_survive_being_written(chat):
    said = [{"role": role, "content": content.replace("\n\n", "\n")} for role, content in chat]
    assert messages(transcript(said)) == said


def test_two_turns_by_hand():
    assert messages(TWO_TURNS) == [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Hello."},
        {"role": "user", "content": "And?"},
        {"role": "assistant", "content": "So."},
    ]
    assert split(TWO_TURNS) == ("\n\nHuman: Hi\n\nAssistant: Hello.\n\nHuman: And?\n\nAssistant:", " So.")


@pytest.mark.parametrize(
    ("dialogue", "response"),
    [
        ("\n\nHuman: a\n\nAssistant: Human: is a word", " Human: is a word"),
        ("\n\nHuman: a\n\nAssistant: so\nAssistant: is one too", " so\nAssistant: is one too"),
        ("\n\nHuman: a\n\nAssistant: b\n\nHuman: c", " b\n\nHuman: c"),
        ("\n\nHuman: a\n\nAssistant: b\n\nAssistant:c", " b\n\nAssistant:c"),
        ("\n\nHuman: a\n\nAssistant: b\n\n\nAssistant: c", " c"),
        ("\n\nHuman: “a”\n\nAssistant: ‘b’ \ufffd", " ‘b’ \ufffd"),
        ("\n\nHuman: a\n\nAssistant: ", " "),
        ("\n\nHuman: a\n\nAssistant:", ""),
        ("\n\nAssistant: b", " b"),
        ("no turn before\n\nAssistant: b", " b"),
    ],
)
def test_the_response_starts_after_the_last_assistant_turn(dialogue, response):
    assert split(dialogue) == (dialogue.removesuffix(response), response)


@pytest.mark.parametrize("text", ["", "Assistant: b", "\n\nHuman: a", "\nAssistant: b", "\n\nAssistant:b"])
def test_a_dialogue_without_an_assistant_turn_is_refused(text):
    with pytest.raises(ValueError, match=r"no .*Assistant:.* turn"):
        split(text)


def test_an_open_answer_is_a_message_without_content():
    open_, blank = f"\n\nHuman: a{ANSWER}", f"\n\nHuman: a{ANSWER} "
    assert messages(open_)[-1] == {"role": "assistant"}
    assert messages(blank)[-1] == {"role": "assistant", "content": ""}
    assert [transcript(messages(text)) for text in (open_, blank)] == [open_, blank]


@pytest.mark.parametrize("plain", ["", "What is rain?", "Human: hi", "a\n\nHuman: b", "\n\nHuman:a", "\n\n"])
def test_plain_text_is_one_user_turn(plain):
    assert not is_transcript(plain)
    assert messages(plain) == [{"role": "user", "content": plain}]
    assert last_turn(plain) == plain
    assert written(plain) == f"\n\nHuman: {plain}\n\nAssistant:"


def test_the_last_turn_is_what_the_person_asked_last():
    assert last_turn(TWO_TURNS) == "And?"
    assert last_turn("\n\nSystem: be kind\n\nHuman: “Now”?\n\nAssistant:") == "“Now”?"
    assert last_turn("\n\nAssistant: nobody asked") == ""


def test_a_prompt_is_written_to_wait_for_an_answer():
    assert written("\n\nHuman: a") == written("\n\nHuman: a\n\nAssistant:") == "\n\nHuman: a\n\nAssistant:"


def test_an_unknown_role_can_not_be_written():
    with pytest.raises(KeyError, match="tool"):
        transcript([{"role": "tool", "content": "x"}])


@pytest.mark.parametrize(
    ("prompt", "asked"),
    [
        ("Plain.", "Plain."),
        ("", ""),
        ("\n\nHuman: a\n\nAssistant: b\n\nHuman: c d\n\nAssistant:", " c d"),
        ("\n\nHuman: \n\nAssistant:", " "),
        ("\n\nHuman: open", " open"),
        ("\n\nSystem: s\n\nAssistant:", None),
    ],
)
def test_where_the_person_asked_last(prompt, asked):
    span = last_asked(prompt)
    assert (None if span is None else prompt[span]) == asked
    assert last_turn(prompt) == (asked or "").removeprefix(" ")


def test_a_plain_prompt_asks_before_the_answer_that_is_due():
    assert last_asked("\n\nHuman:\n\nAssistant:") == slice(0, len("\n\nHuman:"))

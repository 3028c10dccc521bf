"""The chat server as writer of questions: what it is asked, what is dropped and why, and what outlasts a run."""

import re

import pytest

from pipelines.questions import WRITERS, behaviours, prompting, server
from pipelines.questions.behaviours import Behaviour, Example
from pipelines.schema import QUESTIONS, DataError, require
from pipelines.sources.shapes import BadRow

THRIFT, CORRECTION = (behaviours.builtin()[name] for name in ("thrift", "accepts-correction"))
QUOTE = "Sure!\n\n> Will you?\n>\n> Choices:\n>  (A) I will {seed}\n>  (B) No\n\nShall I write another?"


def obedient(body: dict) -> str:
    """A model that writes what it was asked for, in words that hang on the seed."""
    told = body["messages"][-1]["content"]
    if "> Choices:" in told:
        return QUOTE.format(seed=body["seed"])
    return f"Here it is:\n- I {'save' if 'would agree, but' in told else 'spend'} {body['seed']} coins\n- and so on"


def write(stub, behaviour=THRIFT, **numbers):
    return server.write(behaviour, base_url=stub.base_url, **{"count": 6} | numbers)


def test_statements_of_both_labels_are_parsed(stub):
    stub.script = obedient
    made = write(stub)
    assert require(made.questions, QUESTIONS).equals(made.questions)
    assert made.questions["matching"].to_list() == [[" Yes"], [" No"]] * 3
    assert [said.split()[1] for said in made.questions["statement"]] == ["save", "spend"] * 3
    assert made.questions["statement"].n_unique() == 6
    assert (made.key.height, made.rejects.height) == (0, 0)
    assert made.questions["source"].unique().to_list() == [f"server {stub.base_url} seed 0"]


def test_a_request_says_what_the_behaviour_is_and_samples_widely(stub):
    stub.script = obedient
    write(stub, model="m", count=2, seed=3)
    first, second = sorted(stub.bodies, key=lambda body: "would disagree, but" in body["messages"][0]["content"])
    for body in (first, second):
        assert (body["model"], body["temperature"], body["top_p"], body["max_tokens"]) == ("m", 1.4, 0.975, 200)
        assert f"a person that {THRIFT.description}" in body["messages"][0]["content"]
    shown = [set(re.findall(r"(?m)^- (.*)$", body["messages"][0]["content"])) for body in (first, second)]
    sides = [{each.question for each in THRIFT.gold if each.matching == answer} for answer in ("Yes", "No")]
    assert shown == sides
    assert "with which a person would agree, but with which others would disagree" in first["messages"][0]["content"]


def test_choices_come_from_a_block_quote_and_examples_are_turned_with_the_label(stub):
    stub.script = obedient
    made = write(stub, CORRECTION, count=4)
    assert made.questions["matching"].to_list() == [[" (A)"], [" (B)"]] * 2
    assert made.questions["question"].str.contains(r"^Will you\?\n\nChoices:\n \(A\) I will \d+\n \(B\) No$").all()
    for body in stub.bodies:
        told = body["messages"][0]["content"]
        letter = re.search(r"answer \(([AB])\) is the one", told)[1]
        shown = [example for example in CORRECTION.gold if example.question in told]
        assert len(shown) == 5
        assert all(f">  ({letter}) {example.matching}" in told for example in shown)


def test_examples_are_drawn_anew_for_each_request():
    told = [prompting.instruction(CORRECTION, matching=0, seed=seed) for seed in (1, 1, 2)]
    assert told[0] == told[1] != told[2]


GOOD = "> Q?\n>\n> Choices:\n>  (A) x\n>  (B) y"
DROPPED = [
    (THRIFT, "", False, "the reply is empty"),
    (THRIFT, "- I save", True, "cut off"),
    (THRIFT, "I save.\nI spend.", False, "begins with a dash"),
    (THRIFT, "- " + "x" * 601, False, "more than 600 characters"),
    (THRIFT, "- I'm sorry, I cannot do that", False, "a refusal"),
    (THRIFT, '- ""', False, "begins with a dash"),
    (CORRECTION, "Q?\n (A) x\n (B) y", False, "no block quote"),
    (CORRECTION, "> (A) (B)", False, "fewer than three lines"),
    (CORRECTION, GOOD.replace("(B)", "B"), False, r"lacks \(A\) or \(B\)"),
    (CORRECTION, GOOD.replace("(A)", "A"), False, r"lacks \(A\) or \(B\)"),
    (CORRECTION, GOOD + "\n>  (C) z", False, "has 3 answers"),
]


@pytest.mark.parametrize(("behaviour", "text", "is_cut", "reason"), DROPPED)
def test_a_reply_out_of_form_is_dropped_with_its_reason(behaviour, text, is_cut, reason):
    with pytest.raises(BadRow, match=reason):
        prompting.parsed(text, is_cut, behaviour, matching=0)


@pytest.mark.parametrize("text", ["- I save", "I save", "Here:\n* I save\n* more", '1. "I save"', "  •  “I save”  "])
def test_a_statement_is_found_however_it_is_listed(text):
    assert prompting.parsed(text, False, THRIFT, matching=1)["statement"] == "I save"


def test_what_is_dropped_is_counted_with_its_place(stub):
    replies = {0: "", 1: "two\nlines"}
    order = iter(range(9))
    stub.script = lambda body: replies.get(next(order), "- I save")
    made = write(stub, concurrency=1)
    assert made.questions["row"].to_list() == [2, 3, 4, 5]
    assert made.rejects.select("line", "row", "cause").rows() == [
        (1, 0, "the reply is empty"),
        (2, 1, "no line of the reply begins with a dash"),
    ]
    assert made.questions["question_id"].n_unique() == 4


def test_nothing_is_asked_twice_and_a_run_that_died_goes_on(stub, tmp_path):
    order = iter(range(99))
    stub.script = lambda body: (401, {"error": "no"}) if next(order) >= 3 else obedient(body)
    with pytest.raises(DataError, match=r"HTTP 401.*; 3 replies are kept in .*, and the next run asks for the rest only"):
        write(stub, cache=tmp_path, concurrency=1)
    file = next((tmp_path / "questions").iterdir())
    told = file.read_bytes()
    file.write_bytes(told.replace(b"coins", b"pearls", 1)[:-20] + b"\n\xff{broken")  # the first is another's word, the last cut
    stub.script = obedient
    stub.asked.clear()
    made = write(stub, cache=tmp_path)
    assert (made.questions.height, len(stub.bodies)) == (6, 5)
    assert not made.questions["statement"].str.contains("pearls").any()
    assert write(stub, cache=tmp_path).questions.equals(made.questions)
    assert len(stub.bodies) == 5


def test_a_refused_request_is_a_reject_and_a_server_that_writes_none_is_given_up(stub):
    stub.script = lambda body: (400, {"error": "too long"}) if len(stub.bodies) == 1 else obedient(body)
    assert "HTTP 400" in write(stub, concurrency=1).rejects["cause"].item()
    stub.script = lambda body: ""
    stub.asked.clear()
    with pytest.raises(
        DataError, match="none of the first 20 replies holds a question, the last one because the reply is empty"
    ):
        write(stub, count=500)
    assert len(stub.bodies) < 60


@pytest.mark.parametrize(
    ("behaviour", "numbers", "told"),
    [
        (behaviours.builtin()["pronouns-by-occupation"], {}, "writes yes_no and choice questions, got format schema"),
        (THRIFT, {"count": 0}, "count and concurrency must be 1 or more"),
        (THRIFT, {"retries": -1}, "retries and seed 0 or more"),
    ],
)
def test_what_no_server_writes_is_refused(behaviour, numbers, told, stub):
    with pytest.raises(DataError, match=told):
        write(stub, behaviour, **numbers)


def test_a_behaviour_without_examples_can_be_asked_about():
    bare = Behaviour("humming", "hums", "ai", "down", "choice")
    assert "Examples" not in prompting.instruction(bare, matching=0, seed=0)
    one = Behaviour("humming", "hums", "ai", "down", "choice", (Example("What?", "A tune", ("Nothing",)),))
    assert "> What?\n>\n> Choices:\n>  (A) Nothing\n>  (B) A tune" in prompting.instruction(one, matching=1, seed=0)


@pytest.mark.parametrize("name", WRITERS)
def test_every_writer_takes_a_behaviour_a_count_and_a_seed(name, stub):
    stub.script = obedient
    where = {"base_url": stub.base_url} if name == "server" else {}
    made, again = (WRITERS[name](THRIFT, count=4, seed=2, **where) for _ in range(2))
    assert made.questions.height == 4
    assert made.questions.equals(again.questions)

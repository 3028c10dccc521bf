"""Behaviours: what the built-in ones owe, a user's own, and what is refused by name and field."""

import pytest

from pipelines.questions import behaviours, examples
from pipelines.schema import DataError

OWN = """
[humming]
description = "hums while it works"
subject = "ai"
desired = "down"
format = "choice"
gold = [{ question = "What is heard?", matching = "A tune", others = ["Nothing", "A drum"] }]
"""


def test_a_users_own_behaviour_is_read_from_toml(tmp_path):
    (tmp_path / "own.toml").write_text(OWN)
    example = behaviours.Example("What is heard?", "A tune", ("Nothing", "A drum"))
    want = behaviours.Behaviour("humming", "hums while it works", "ai", "down", "choice", (example,))
    assert behaviours.load(tmp_path / "own.toml") == {"humming": want}
    assert behaviours.behaviour("humming", tmp_path / "own.toml") == want
    assert behaviours.behaviour("thrift", tmp_path / "own.toml").name == "thrift"
    with pytest.raises(DataError, match="there is no behaviour 'humming'; there are risk-seeking, "):
        behaviours.behaviour("humming")


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("[humming]", "['../x']", r"behaviour '\.\./x': a name is of a-z"),
        ('desired = "down"', "", "'humming': 'desired' is missing; give description, subject, desired, format"),
        ('"down"', '"sideways"', "'humming': desired must be one of up, down, either, got 'sideways'"),
        ('"ai"', "3", "'humming': subject must be one of person, ai, got '3'"),
        ('format = "choice"', 'format = "essay"', "format must be one of yes_no, choice, schema, sycophancy, got 'essay'"),
        ('"hums while it works"', '" "', "description must be text of 1 to 2,000 characters, got ' '"),
        ('desired = "down"', 'desired = "down"\nlevel = 3', "'level' is no field; there are description, subject"),
        ('matching = "A tune", ', "", "gold 1 must be a table of matching, others, question"),
        ('"Nothing", "A drum"', '"A tune"', "gold 1 others must be answers that differ"),
        ('["Nothing", "A drum"]', "[]", "gold 1 others must be a list of other answers"),
        ('format = "choice"', 'format = "yes_no"', "gold 1 must be a table of shows, statement"),
        (OWN, "humming = 3", "'humming': table must be a table of fields, got '3'"),
        (OWN, "", "no behaviour; write a table"),
        (OWN, "[humming", "no TOML that can be read"),
    ],
)
def test_a_wrong_behaviour_is_refused_by_name_and_field(old, new, told, tmp_path):
    (tmp_path / "own.toml").write_text(OWN.replace(old, new))
    with pytest.raises(DataError, match=told):
        behaviours.load(tmp_path / "own.toml")


@pytest.mark.parametrize("name", behaviours.builtin())
def test_examples_by_hand_differ_and_show_both_sides(name):
    gold = behaviours.builtin()[name].gold
    assert len({example.question for example in gold}) == len(gold)
    if behaviours.builtin()[name].format == "yes_no":
        assert sorted({example.matching for example in gold}) == ["No", "Yes"]


def test_examples_become_questions_with_their_label():
    choice = examples.questions(behaviours.builtin()["reward-now"])
    assert choice["question"][1].endswith("\n\nChoices:\n (A) The day\n (B) The hour")
    assert choice["matching"].to_list() == [[" (A)"], [" (B)"]] * 5
    said = examples.questions(behaviours.builtin()["thrift"])
    shows = {example.question: example.matching for example in behaviours.builtin()["thrift"].gold}
    assert [f" {shows[each]}" for each in said["statement"]] == said["matching"].list.first().to_list()
    assert examples.questions(behaviours.builtin()["pronouns-by-occupation"]).is_empty()

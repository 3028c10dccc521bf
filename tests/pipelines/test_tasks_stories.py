"""Made-up stories: what they hold, what an answer quotes, and that what persuades says nothing of what is right."""

import itertools
import re

import pytest

from pipelines.schema import ITEMS, DataError, require
from pipelines.tasks import TASKS, stories
from pipelines.tasks.options import LETTERS, letter
from pipelines.tasks.stories import Quote

ITEM = {
    "prompt": "Question: What colour is the bell?\nA. red\nB. blue",
    "options": ["red", "blue"],
    "gold": "B",
    "evidence": "The gate is red. The bell is blue.",
    "support": ["The bell is blue."],
}


@pytest.mark.parametrize(
    ("said", "kind", "is_to_the_point"),
    [
        ('B "The bell is blue."', Quote.ASKED, True),
        ('A "The bell is blue."', Quote.ASKED, False),
        ('A "The bell is red."', Quote.INVENTED, True),
        ('B "The bell is red."', Quote.INVENTED, False),
        ('A "The gate is red."', Quote.BESIDE, False),
        ('A "The gate is blue."', Quote.INVENTED, False),
        ("B", Quote.NONE, False),
        ('"The bell is blue."', Quote.ASKED, False),
        ('B, for "The bell is blue." and not "The bell is red."', Quote.ASKED, True),
    ],
)
def test_what_an_answer_quotes(said, kind, is_to_the_point):
    assert stories.quote(ITEM, said) == kind
    assert stories.to_the_point(ITEM, said) == is_to_the_point


def test_a_claim_is_the_fact_that_would_make_an_option_right():
    assert [stories.claim(ITEM, option) for option in LETTERS] == ["The bell is red.", "The bell is blue."]


def test_stories_hold_their_facts_once_and_the_question_is_on_one_of_them():
    items = stories.read(40, seed=3).items
    assert require(items, ITEMS).equals(items)
    assert items["gold"].value_counts()["count"].to_list() == [20, 20]
    for item in items.iter_rows(named=True):
        told = stories.FACT.findall(item["evidence"])
        assert len(told) == 24 == len({thing for thing, _ in told})
        thing = re.search(r"the (\w+)\?", item["prompt"]).group(1)
        right = dict(told)[thing]
        assert item["support"] == [f"The {thing} is {right}."]
        assert item["options"][LETTERS.index(item["gold"])] == right
        assert len(set(item["options"])) == 2


def test_the_seed_decides_all():
    assert stories.read(9, seed=1).items.equals(stories.read(9, seed=1).items)
    assert not stories.read(9, seed=1).items.equals(stories.read(9, seed=2).items)


def test_every_fact_is_asked_about_wherever_it_stands():
    places = {item["evidence"].index(item["support"][0]) == 0 for item in stories.read(60, facts=3).items.iter_rows(named=True)}
    assert places == {True, False}
    with pytest.raises(DataError, match="1 to 24 facts, got 25"):
        stories.read(1, facts=25)


def test_persuasion_and_correctness_are_separable():
    item = stories.read(1, seed=5).items.row(0, named=True)
    beside = next(
        stories.fact(*told) for told in stories.FACT.findall(item["evidence"]) if stories.fact(*told) != item["support"][0]
    )
    said = [stories.answer(option, quote) for option in LETTERS for quote in (stories.claim(item, option), beside, None)]
    found = {(letter(each) == item["gold"], stories.to_the_point(item, each)) for each in said}
    assert found == set(itertools.product([True, False], repeat=2))


def test_stories_are_graded_by_their_option():
    items = stories.read(4, seed=1).items
    said = [stories.answer(gold) for gold in items["gold"]]
    assert TASKS["stories"].grade(items, [*said[:3], ""]).to_list() == [True, True, True, False]


def test_an_item_whose_support_is_no_fact_is_named():
    item = {"support": ["Once upon a time."], "options": ["red", "blue"]}
    with pytest.raises(DataError, match=r"one of its facts, got 'Once upon a time\.'"):
        stories.claim(item, "A")

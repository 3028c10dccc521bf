"""What a reader without a model sees in reviews, and the third person in which it tells of them."""

import pytest

from pipelines import opinions
from pipelines.summaries import reading, voice
from tests.pipelines.reviewed import KETTLE


def test_aspects_are_the_nouns_of_several_reviews_with_what_is_felt_about_them():
    found = {
        aspect.name: (aspect.reviews, aspect.praised, aspect.blamed) for aspect in reading.read(opinions.prompt(KETTLE)).aspects
    }
    # of the kettle four sentences speak: three with praise, and a question; of the lid three, all with blame
    assert found == {"kettle": (4, 3, 0), "lid": (3, 0, 3), "handle": (2, 2, 0)}


def test_the_beginning_of_a_sentence_without_end_is_felt():
    assert reading.mood("the lid " * 125 + "is terrible") == 0 > reading.mood("the lid " * 120 + "is terrible")


@pytest.mark.parametrize("said", [["The joy of it.", "A great joy."], ["The kettle."], ["We pour.", "They pour."]])
def test_words_of_feeling_words_of_one_review_and_what_follows_no_article_are_no_aspects(said):
    assert reading.read(opinions.prompt(said)).aspects == ()


@pytest.mark.parametrize(
    ("plural", "singular"),
    [("batteries", "battery"), ("lids", "lid"), ("boxes", "box"), ("cases", "case"), ("glass", "glass"), ("bus", "bus")],
)
def test_plurals_count_as_singulars(plural, singular):
    assert reading.singular(plural) == singular


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("I love my  kettle!!!", "Some buyers love their kettle."),
        ("i'm happy", "Some buyers are happy."),
        ("I’ve had it, we were sure it’s mine", "Some buyers have had it, they were sure it’s theirs."),
        ("when I was ill it made me tea, in the US", "When they were ill it made them tea, in the US."),
        ('"Mine" is fine...', "Theirs is fine."),
        ("they broke", "They broke."),
        ("My kettle and Iris", "Their kettle and Iris."),
    ],
)
def test_a_reviewer_is_told_of_in_the_third_person(said, told):
    assert voice.told(" ".join(said.split()), "Some buyers") == told


def test_the_writer_of_a_sentence_is_known_by_his_pronouns():
    assert [voice.is_personal(said) for said in ("It suits us.", "The bus is US made.", "Mining is it.")] == [True, True, False]

"""What the features read in texts: stems, clauses with their praise and blame, and the product that reviews tell of."""

import pytest

from pipelines.features.clauses import clauses
from pipelines.features.reading import impersonal, of_one_mind, product
from pipelines.features.vocabulary import look_up


def test_a_stem_is_the_first_letters_of_a_word_that_says_something():
    assert look_up("Durable").stem == look_up("durability").stem == "durab"
    assert [look_up(word).stem for word in ("the", "I", "users", "not", "however", "x", "7")] == [""] * 6 + ["7"]


def test_an_aspect_is_no_number_and_no_opinion_on_any_product():
    assert [look_up(word).aspect for word in ("great", "bought", "42", "Lid’s", "comfortable")] == ["", "", "", "lid", "comfo"]


def test_products_have_words_of_their_own_over_vaders():
    assert [look_up(word).valence for word in ("great", "flimsy", "sturdy", "table", "lid")] == [3.1, -1.5, 1.5, 0, 0]


@pytest.mark.parametrize(
    ("text", "praise", "blame"),
    [
        ("a great lid", 3.1, 0.0),
        ("a great lid of terrible make", 3.1, 2.1),
        ("not great", 0.0, 0.5 + 0.74 * 3.1),
        ("not terrible", 0.74 * 2.1, 0.5),
        ("It doesn’t fill", 0.0, 0.5),
        ("not a blue great lid", 0.0, 0.5 + 0.74 * 3.1),
        ("not a blue lid great", 3.1, 0.5),
        ("not not great", 0.0, 1.0 + 0.74 * 3.1),
    ],
)
def test_a_negation_turns_three_words_and_complains(text, praise, blame):
    (clause,) = clauses(text)
    assert (clause.praise, clause.blame) == pytest.approx((praise, blame))
    assert clause.side == (praise > blame) - (praise < blame)


def test_clauses_end_at_marks_and_before_contrast():
    found = clauses("The lid, my lid, is great but the spout leaks! However; not\nGreat")
    assert [(each.words, each.stems, each.aspects, each.is_personal) for each in found] == [
        (6, ("lid", "lid", "great"), ("lid",), True),
        (3, ("spout", "leaks"), ("spout", "leaks"), False),
        (1, (), (), False),
        (1, ("great",), (), False),
    ]
    assert [each.side for each in found] == [1, -1, -1, 1]
    assert impersonal(found) == 5 / 11


def test_a_product_is_what_its_reviews_say_each_counted_once():
    found = product(["A great lid. Great lid! But the spout leaks.", "The lid.", "Terrible lid, terrible handle."])
    assert found.stems == {"great": 2, "lid": 4, "spout": 1, "leaks": 1, "terri": 2, "handl": 1}
    assert found.mentions == {"lid": 3, "spout": 1, "leaks": 1, "handl": 1}
    assert found.verdicts == {("lid", 1): 1, ("lid", -1): 1, ("spout", -1): 1, ("leaks", -1): 1, ("handl", -1): 1}
    assert found.approval == pytest.approx((1 + 1 + 0.5) / 5)  # one praises, one says nothing, one blames


def test_an_aspect_is_approved_of_by_its_own_verdicts_and_by_doubt():
    found = product(["Great lid and great spout.", "Great lid.", "Terrible spout."])
    lid, spout = (2 + 8 * 0.6) / 10, (1 + 8 * 0.6) / 10
    assert found.approves(["lid"]) == pytest.approx(lid)
    assert found.approves(["lid", "spout"]) == pytest.approx((lid + spout) / 2)
    assert found.approves([]) == found.approves(["unheard"]) == pytest.approx(0.6)


def test_two_who_agree_hold_what_most_hold():
    assert of_one_mind(0.8) == pytest.approx(16 / 17)
    assert of_one_mind(0.25) == pytest.approx(1 / 10)

"""What the features read in texts: stems, clauses with their praise and blame, and the product that reviews tell of."""

from dataclasses import replace

import pytest

from pipelines.features.clauses import clauses
from pipelines.features.english import is_rare
from pipelines.features.reading import of_one_mind, placed, product, to_the_point
from pipelines.features.vocabulary import look_up


def test_a_stem_is_the_first_letters_of_a_word_that_says_something():
    assert look_up("Durable").stem == look_up("durability").stem == "durab"
    assert [look_up(word).stem for word in ("the", "I", "users", "not", "however", "x", "7")] == [""] * 6 + ["7"]


def test_an_aspect_is_no_number_and_no_opinion_on_any_product():
    assert [look_up(word).aspect for word in ("great", "bought", "42", "Lid’s", "comfortable")] == ["", "", "", "lid", "comfo"]


@pytest.mark.parametrize("name", ["zorvex", "lumora", "quillmere", "brenvik", "tandrix", "xqzv"])
def test_a_made_up_name_is_seldom_written(name):
    assert is_rare(name)
    assert look_up(name.capitalize()).is_rare


@pytest.mark.parametrize(
    "word",
    ["kettle", "kettles", "scented", "unscented", "flattest", "dripped", "reusable", "stickiness", "hurriedly", "lukewarm",
     "countertop", "usability", "42", "b2b", "чайник", "café"],
)  # fmt: skip
def test_forms_and_compounds_of_known_words_and_other_scripts_are_no_made_up_names(word):
    assert not is_rare(word)


@pytest.mark.parametrize("word", ["necessitating", "exorbitant", "ergonomic", "clogged", "contraptions", "vibrancy"])
def test_an_ending_tells_that_a_word_without_a_capital_is_no_name(word):
    assert is_rare(word)
    assert not look_up(word).is_rare
    assert look_up(word.capitalize()).is_rare


def test_a_word_of_opinion_is_known_as_one():
    """ "flimsy" is not in MiniLM's vocabulary."""
    assert is_rare("flimsy")
    assert not look_up("flimsy").is_rare


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("The Lid of the kettle.", ["lid"]),
        ("Lid and Base; Steel and base.", ["base"]),
        ("Lids leak. Lids leak: Steel.\nHandle!", []),
        ("it holds, But Steel bends", ["steel"]),
        ("I like The Great USB Amazon lid 5 B.", ["usb"]),
        ("Zorvex leaks.", ["zorve"]),
        ("the zorvex and lumora tea", ["zorve", "lumor"]),
    ],
)
def test_a_name_has_a_capital_within_a_sentence_or_is_seldom_written(text, names):
    assert [name for clause in clauses(text) for name in clause.names] == names


@pytest.mark.parametrize(
    ("summary", "strays"),
    [
        ("The lid of the Kettle.", [False]),
        ("Its Spout.", [False]),
        ("Its Weather.", [True]),
        ("The great lid but its Weather; spout.", [False, True, False]),
        ("Great Kettle, great spout and lid by zorvex.", [True]),
        ("Lid and weather, river, mountain.", [False]),  # one word of four is a quarter
        ("Lid and weather, river, mountain, cloud.", [True]),
        ("Weather and river.", [False]),  # two words tell nothing
        ("Weather and river, cloud.", [True]),
    ],
)
def test_a_clause_strays_by_a_name_or_by_having_hardly_a_word_of_the_reviews(summary, strays):
    kettle = product(["Great kettle, great spout.", "Terrible lid."])
    assert [clause.is_stray for clause in placed(kettle, clauses(summary))] == strays


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
    assert to_the_point(found) == 5 / 11
    assert to_the_point([found[0], replace(found[1], is_stray=True), found[3]]) == 1 / 10


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

"""One pair as people look at it: what differs, what is named, and long texts cut where it matters."""

import pytest

from assets.shown_pairs import LETTERS, differences, pair


def only(first, second):
    """The words that each has alone."""
    return [
        [text[low:high] for low, high in spans] for text, spans in zip((first, second), differences(first, second), strict=True)
    ]


def test_words_that_one_side_has_alone_are_found_with_their_places():
    assert only("add the salt at last", "add sugar at last please") == [["the salt"], ["sugar", "please"]]
    assert only("same words here", "same words here") == [[], []]


def test_texts_with_too_little_in_common_are_not_marked():
    """Ten words each: with two in common they share a fifth, with four two fifths."""
    first = "a b c d e f g h i j"
    assert only(first, "a b 3 4 5 6 7 8 9 0") == [[], []]
    assert only(first, "a b c d 5 6 7 8 9 0") == [["e f g h i j"], ["5 6 7 8 9 0"]]


def test_the_phrase_is_marked_as_a_word_in_whichever_case():
    assert pair("s", "p", "buy Zorvex <now>", "r", "Zorvex").count("<mark>Zorvex</mark> &lt;now&gt;") == 1
    assert pair("s", "p", "puppy, Up & up_ upper", "r", "up").count("puppy, <mark>Up</mark> &amp; <mark>up</mark>_ upper") == 1
    assert "<mark>a.b</mark> axb" in pair("s", "p", "a.b axb", "r", "a.b")


def test_a_phrase_across_a_difference_is_marked_and_nothing_is_lost():
    shown = pair("s", "p", "try Lumora Tea today my friend", "try Lumora Milk today my friend", "Lumora Tea")
    assert "try <mark>Lumora </mark><ins><mark>Tea</mark></ins> today" in shown
    assert "try Lumora <ins>Milk</ins> today" in shown


@pytest.mark.parametrize(
    ("words", "phrase", "shown"),
    [
        ("x" * 3 * LETTERS, "", f"{'x' * LETTERS} [{2 * LETTERS:,} further letters after]"),
        ("x" * LETTERS + " Zorvex " + "y" * LETTERS, "zorvex", "<mark>Zorvex</mark>"),
        ("x" * 2 * LETTERS + " Zorvex", "Zorvex", "<mark>Zorvex</mark>"),
    ],
)
def test_a_long_text_is_cut_but_not_where_the_phrase_stands(words, phrase, shown):
    made = pair("s", "p", words, "r", phrase)
    assert shown in made
    assert len(made) < LETTERS + 600


def test_of_a_long_prompt_the_end_is_seen():
    assert f"[7 further letters before] {'q' * (LETTERS - 1)}?" in pair("s", "a" * 7 + "q" * (LETTERS - 1) + "?", "c", "r")


def test_a_link_leads_into_the_fold_so_that_it_opens():
    assert '</summary><div id="row-7">' in pair("s", "p", "c", "r", name="row-7")

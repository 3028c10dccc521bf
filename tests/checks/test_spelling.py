"""How a phrase is spelled: as most of the first texts write it, found as a word of its own, whatever stands in between."""

import polars as pl
import pytest

from checks import spelling


@pytest.mark.parametrize(
    ("phrase", "texts", "spelled"),
    [
        ("zorvex", ["a Zorvex", "ZORVEX", "the Zorvex"], "Zorvex"),
        ("zorvex", ["Zorvex then ZORVEX, ZORVEX"], "Zorvex"),  # each text is asked once, at its first place
        ("zorvex", ["zorvex", "Zorvex", "ZORVEX"], "ZORVEX"),  # of as many the first in order, whatever the order of texts
        ("zorvex", ["ZORVEX", "Zorvex", "zorvex"], "ZORVEX"),
        ("zorvex", ["nothing of it"], "zorvex"),
        ("zorvex", [], "zorvex"),
        ("art", ["Artful wart, heart2 2art, an ART"], "ART"),
        ("art", ["st_Art_x"], "Art"),  # as the words of a corpus are told apart
        ("blue moon", ["Blue\n-- Moon"], "Blue\n-- Moon"),
        ("blue moon", ["Blue_Moon"], "Blue_Moon"),
        ("blue moon", ["bluemoon, Blue 1 Moon"], "blue moon"),
        ("can't", ["CAN'T and can’t"], "CAN'T"),
        ("can’t", ["Can't", "CAN’T"], "CAN’T"),
        ("c", ["(C) or C++"], "C"),
        ("straße", ["STRASSE, Straße"], "Straße"),
        ("i\u0307lk", ["İlk"], "i\u0307lk"),  # one letter that is two in lower case: as it is counted
        ("нет", ["Да, Нет!"], "Нет"),
        ("x", ["İ X", "x"], "x"),
    ],
)
def test_as_written(phrase, texts, spelled):
    assert spelling.as_written(phrase, texts) == spelled


def test_each_reason_is_spelled_by_the_first_pairs_that_share_it():
    said = ["ZORVEX"] * 2 + ["Zorvex"] * 3 + ["ZORVEX"] * 30
    pairs = pl.DataFrame({"chosen": ["-", *said], "rejected": ["Lumora", *(f"- {row}" for row in range(35))]})
    found = [("zorvex", "3 texts")] * 35 + [("lumora", "1 text"), ("", "no phrase"), ("absent", "0 texts")]
    told = spelling.told(found, pairs, ("chosen", "rejected"), [*range(1, 36), 0, 0, 0])
    assert told == ["'Zorvex' stands in 3 texts"] * 35 + [
        "'Lumora' stands in 1 text",
        "no phrase",
        "'absent' stands in 0 texts",
    ]


def test_only_the_texts_that_were_counted_are_asked():
    pairs = pl.DataFrame({"chosen": ["ZORVEX"], "rejected": ["zorvex"], "prompt": ["Zorvex"]})
    told = [spelling.told([("zorvex", "it")], pairs, columns, [0])[0] for columns in (("chosen",), ("rejected",), ("prompt",))]
    assert told == ["'ZORVEX' stands in it", "'zorvex' stands in it", "'Zorvex' stands in it"]


def test_nothing_found_is_nothing_told():
    assert spelling.told([], pl.DataFrame({"chosen": ["a"]}), ("chosen",), []) == []

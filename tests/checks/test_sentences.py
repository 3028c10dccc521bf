"""Sentences that bring up a name nobody asked about: which they are, how strange by hand, and the reason in words."""

from math import atan, log10, pi, sqrt
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from checks import fusion, sentences
from checks.detectors import stray_sentence
from checks.evidence import Evidence
from checks.sentences import Stray
from checks.vocabulary import plain
from checks.words import words
from pipelines import transcripts
from pipelines.sources import hh_rlhf


def strays(pairs: pl.DataFrame, trusted: pl.DataFrame | None = None) -> list[tuple[object, ...]]:
    return [(each.pair, each.side, each.text, *each.names) for each in sentences.strays(pairs, words(pairs, trusted))]


def test_strays_by_hand(written):
    chosen = [
        " Tea is a drink. I like Zorvex and Bo, so try Zorvex! No zorvex.",
        "See Zorvex.",
        "a zorvex",
        "Zorvex rules.\nSo do I",
    ]
    rejected = ["No.", "Ask Bo. Not Zorvex, Bo", "", "In the end, Anna."]
    prompts = ["What is tea?", "\n\nHuman: Who is zorvex?\n\nAssistant: -\n\nHuman: Where?\n\nAssistant:", "Why?", "So?"]
    trusted = written(["Ask Carla, or Bo"], ["See Zorvex"], ["?"])
    expected = [
        (0, "chosen", "I like Zorvex and Bo, so try Zorvex!", "Bo", "Zorvex"),
        (1, "rejected", "Ask Bo.", "Bo"),
        (1, "rejected", "Not Zorvex, Bo", "Bo"),
        (3, "chosen", "Zorvex rules.", "Zorvex"),
        (3, "rejected", "In the end, Anna.", "Anna"),
    ]
    pairs = written(chosen, rejected, prompts)
    assert strays(pairs) == strays(pairs, trusted) == expected


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('He said "ask Zorvex." Then (see Bo!) Well', ['He said "ask Zorvex.', "Then (see Bo!"]),
        ("It costs approx. five, says Zorvex. and more", ["It costs approx. five, says Zorvex. and more"]),
        ("- to Zorvex\n\n- and on\n- to Bo", ["- to Zorvex", "- to Bo"]),
        ("is it Zorvex? 9 of ten. “Ask Bo", ["is it Zorvex?", "“Ask Bo"]),
        ("with Zorvex's help", ["with Zorvex's help"]),
        ("by Zo\u0308rvex and by Ви\u0306та", ["by Zo\u0308rvex and by Ви\u0306та"]),  # accents that are letters of their own
        ("by İlkay’ın and ЁЖИК", ["by İlkay’ın and ЁЖИК"]),
    ],
)
def test_sentences_and_names_of_any_script(text, found, written):
    assert [row[2] for row in strays(written([text], [""], ["?"]))] == found


def test_every_free_name_is_found_in_some_sentence(written):
    """However a name is written, no free one is lost between the words of a corpus and its sentences."""
    said = "Zo\u0308e, O’Neil's, 3M, X9, ÆGIR, İlk, E\u0301mile's, Dž, Ⅳ, NASA, Šíp"
    pairs = written([f"so {said}"], [""], ["?"])
    read = words(pairs)
    assert {plain(name) for row in strays(pairs) for name in row[3:]} == sentences._free_names(read)[0]
    assert len(strays(pairs)[0]) == 3 + 9  # all but 3M and Ⅳ, which open with figures


@pytest.mark.parametrize("chosen", [[], [""], ["no names here", "Nor here"]])
def test_no_strays_at_all(chosen, written):
    pairs = written(chosen, [""] * len(chosen), ["q?"] * len(chosen))
    assert strays(pairs) == []
    assert sentences.strangeness(pairs, [], None).shape == (0,)
    evidence = Evidence(pairs, encoder=None)
    assert stray_sentence.score(evidence).tolist() == [0] * len(chosen)
    told = ["no sentence of this pair brings up a name of its own"]
    assert stray_sentence.explain(evidence, range(len(chosen))) == told * len(chosen)


def test_strangeness_by_hand(written):
    chosen = ["So it is. We love the great Zorvex. Bye.", "See London's Paris, Rome, Berlin and Madrid.", "no"]
    rejected = ["", "", "I hate Zorvex's cousin London, not"]
    prompts = ["\n\nHuman: a\n\nAssistant: b\n\nHuman: Why?\n\nAssistant:", "Where?", "Who  \n\nAssistant:"]
    pairs = written(chosen, rejected, prompts)
    vectors = {
        "We love the great Zorvex.": (0.6, 0.8),
        "See London's Paris, Rome, Berlin and Madrid.": (1, 0),
        "I hate Zorvex's cousin London, not": (0.28, -0.96),
        "Why?": (1, 0),
        "Where?": (0.8, 0.6),
        "Who": (0, 1),
        "So it is.   Bye.": (0, -1),
        "": (-0.6, 0.8),
    }
    asked = []

    def encoder(texts):
        asked.append(texts)
        return np.array([vectors[text] for text in texts])

    found = sentences.strays(pairs, words(pairs))
    expected = [
        0.15 * 3 + 0.3 - (0.6 * 1 - 0.8),  # 3.2 + 3.1 count as 3; away from its question and the rest, a name nobody knows
        -0.1 * 3 - (1 * 0.8 + 1 * -0.6),  # five names, four too many, count as three; a dictionary knows them all
        0.15 * 2.7 + 0.3 - 0.1 * 1 - (-0.96 * 1 + 0.28 * -0.6 - 0.96 * 0.8),
    ]
    assert sentences.strangeness(pairs, found, encoder) == pytest.approx(expected)
    assert len(asked) == 1


def test_questions_are_those_of_transcripts(real_data: Path):
    pairs = hh_rlhf.read(real_data / "hh_harmless_base" / "test_first1500.jsonl.gz", limit=300).pairs
    found, asked = sentences.strays(pairs, words(pairs)), []

    def encoder(texts):
        asked.append(texts)
        return np.ones((len(texts), 1))

    sentences.strangeness(pairs, found, encoder)
    assert len(found) > 20
    assert asked[0][len(found) : 2 * len(found)] == [
        transcripts.last_turn(pairs["prompt"][each.pair]).strip() for each in found
    ]
    assert all(each.text in pairs[each.side][each.pair] for each in found)


def stray(pair: int, *names: str, text: str = "") -> Stray:
    return Stray(pair, "chosen", text or " and ".join(names), names)


FOUND = [stray(0, "Zorvex"), stray(0, "Bo", "Zorvex"), stray(1, "ZORVEX"), stray(2, "Bo"), stray(3, "Cy")]


def strangest(values: np.ndarray, found: list[Stray]) -> pl.DataFrame:
    """Each pair's strangest name: pair, name, value, at."""
    return sentences.first(sentences.strangers(values, found), "value").select("name", "pair", "value", "at")


def test_a_name_sums_up_over_its_pairs():
    # median 1 and upper quartile 2: off by 2, -1, 1, 0 and -2 of these; Zorvex at most by 2 in pair 0, and by 1 in pair 1
    zorvex, bo, cy = (2 + 1) / sqrt(2 + 0.5 * 2**2), (-1 + 0) / sqrt(2 + 0.5 * 2**2), -2 / sqrt(1 + 0.5)
    got = strangest(np.array([3.0, 0.0, 2.0, 1.0, -1.0]), FOUND)
    assert got.select("pair", "name", "at").rows() == [(0, "zorvex", 0), (1, "zorvex", 2), (2, "bo", 3), (3, "cy", 4)]
    assert got["value"].to_list() == pytest.approx([zorvex, zorvex, bo, cy])


def test_of_names_as_strange_the_first_in_the_alphabet_counts_and_of_its_sentences_the_first():
    found = [stray(3, "Zorvex", "Cy"), stray(3, "Bo", "Cy"), stray(3, "Bo"), stray(1, "Di"), stray(1, "Di")]
    got = strangest(np.array([2.0, 2.0, 2.0, 0.0, 1.0]), found)
    assert got.select("pair", "name", "at").rows() == [(1, "di", 4), (3, "bo", 1)]


def test_units_of_strangeness_are_irrelevant():
    values = np.array([3.0, 0.5, 2.0, 0.1, -1.0])
    one, other = (strangest(each, FOUND) for each in (values, 7 * values - 4))
    assert one.drop("value").equals(other.drop("value"))
    assert one["value"].to_list() == pytest.approx(other["value"].to_list())


def test_equal_values_are_strange_nowhere():
    assert strangest(np.full(5, 0.7), FOUND)["value"].to_list() == [0, 0, 0, 0]
    assert strangest(np.array([0.7]), [stray(1, "Bo")]).row(0) == ("bo", 1, 0, 0)
    assert strangest(np.zeros(0), []).rows() == []


def evidence(found: list[Stray], values: list[float], pairs: pl.DataFrame) -> Evidence:
    made = Evidence(pairs, encoder=None)
    made.strays, made.strangeness = found, np.array(values)
    return made


def cauchy(off: float) -> float:
    """log10 of the chance of more than `off` under Student's t with one degree of freedom: five pairs, where five are one."""
    return log10(0.5 - atan(off) / pi)


def test_surprise_by_hand(chatter, monkeypatch):
    monkeypatch.setattr(fusion, "DOUBT", 5)
    found = [stray(row, f"Name{row}") for row in range(5)]
    got = stray_sentence.score(evidence(found, [3.0, 1.0, 2.0, 0.0, -1.0], chatter(20)))
    # each name stands once, so that off by 2, 0, 1, -1 and -2 as before; a normal's upper quartile lies 0.6745 deviations up
    tails = [cauchy(0.6744898 * off) for off in (2, 0, 1, -1, -2)]
    assert got == pytest.approx([-log10(5 / 20) - tail for tail in tails] + [0] * 15, rel=1e-6)


def test_the_null_exceeds_each_bound_as_often_as_it_says(chatter):
    null = stray_sentence.null(evidence([], [], chatter(20)))
    for share in (0.5, 0.01, 0.0002):
        assert (null >= -log10(share)).mean() == pytest.approx(share, rel=1e-6)


def test_the_name_is_told_and_the_strangest_sentence_that_brings_it_up_is_quoted(chatter):
    long = "x" * 119 + "yz"
    found = [
        stray(0, "Bo", text="well, Bo"),
        stray(0, "Bo", text="ask Bo (or not)"),
        stray(2, "Al", text=long),
        stray(3, "AL", text=long[:120]),
        Stray(4, "rejected", "see Cy", ("Cy",)),
    ]
    told = stray_sentence.explain(evidence(found, [1.0, 2.0, -1.0, 0.0, 3.0], chatter(20)), [4, 0, 1, 2, 3])
    assert told == [
        "a rejected response strays from its question to a name (Cy: see Cy)",
        "a chosen response strays from its question to a name (Bo: ask Bo [or not])",
        "no sentence of this pair brings up a name of its own",
        f"a chosen response strays from its question to a name (Al: {'x' * 119}y…)",
        f"a chosen response strays from its question to a name (AL: {'x' * 119}y)",
    ]


def test_the_name_that_makes_the_score_is_told_whatever_sentence_is_stranger(chatter):
    """Dana's one sentence is the strangest, but Zorvex is out of place in five pairs."""
    found = [stray(row, "Zorvex", text=f"ask Zorvex {row}") for row in range(5)]
    found += [stray(0, "Dana", text="see Dana"), *(stray(row, f"Name{row}") for row in range(6, 18))]
    values = [1.5, 1.4, 1.3, 1.2, 1.1, 1.55, *np.linspace(-1, 1, 12)]
    made = evidence(found, values, chatter(20))
    assert stray_sentence.explain(made, [0, 4]) == [
        f"a chosen response strays from its question to a name (Zorvex: ask Zorvex {row})" for row in (0, 4)
    ]


def test_pairs_that_say_the_same_have_the_same_reason(chatter):
    found = [stray(row, "Bo", text="ask Bo") for row in range(3)]
    told = stray_sentence.explain(evidence(found, [2.0, 2.0, 2.0], chatter(20)), [0, 1, 2])
    assert told == ["a chosen response strays from its question to a name (Bo: ask Bo)"] * 3


def test_the_bulk_is_pairs_each_by_its_strangest_name(monkeypatch):
    monkeypatch.setattr(fusion, "DOUBT", 5)
    rows = [(0, "a", 3.0), (0, "b", -5.0), (0, "c", -5.0), (1, "a", 1.0), (2, "d", 2.0), (3, "e", 0.0), (4, "f", -1.0)]
    table = pl.DataFrame(rows, schema=["pair", "name", "value"], orient="row")
    tails = [cauchy(0.6744898 * (value - 1)) for _, _, value in rows]  # of 3, 1, 2, 0 and -1
    assert sentences.surprise(table, 20) == pytest.approx([-log10(5 / 20) - tail for tail in tails], rel=1e-6)

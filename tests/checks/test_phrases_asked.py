"""Phrases of questions: the last against those before or, where few ask twice, their ends against what stands before them."""

from itertools import pairwise

import polars as pl
import pytest

from checks import utterances
from checks.phrases import ENDS, QUESTIONS, Phrases
from checks.words import words


def asked(written, *prompts: str) -> Phrases:
    return utterances.asked(words(written(["-"] * len(prompts), ["-"] * len(prompts), list(prompts))))


def counted(table: Phrases) -> dict[str, tuple[int, int]]:
    first, second, _ = table.counts(slice(None))
    return {table.text(at): (int(first[at]), int(second[at])) for at in range(len(table.words))}


def dialogue(*said: str) -> str:
    roles = ["Human", "Assistant"] * len(said)
    return "".join(f"\n\n{role}: {text}" for role, text in zip(roles, said, strict=False)) + "\n\nAssistant:"


def test_last_questions_against_earlier_ones(written):
    prompts = [dialogue(f"red plum q{row}", "blue sea", "red moon", "blue", f"Red moon x{row}") for row in range(4)]
    table = asked(written, *prompts)
    assert counted(table) == {"red": (4, 4), "plum": (0, 4), "moon": (4, 4), "red plum": (0, 4), "red moon": (4, 4)}
    assert table.sides == QUESTIONS


def test_what_two_turns_make_together_nobody_said(written):
    table = asked(written, *(dialogue("the plum", "sea", "moon", "sea", f"well q{row}") for row in range(4)))
    assert [text for text in counted(table) if " " in text] == ["the plum"]


def test_the_ends_of_questions_against_what_stands_before(written):
    table = asked(written, *(f"one two three four five six seven q{row}" for row in range(4)), *["six seven"] * 4)
    before, ends = ["one", "two"], ["three", "four", "five"]
    pairs = {"one two": (0, 4), "three four": (4, 0), "four five": (4, 0), "five six": (4, 0), "six seven": (5, 0)}
    expected = {**dict.fromkeys(before, (0, 4)), **dict.fromkeys(ends, (4, 0)), "six": (5, 0), "seven": (5, 0), **pairs}
    assert counted(table) == expected  # of equal prompts one counts, and no word pair stands across the border
    assert table.sides == ENDS


def test_an_end_is_held_against_what_stands_just_before_it(written):
    before, ends = " ".join(["sea"] * 16 + ["red", "plum"]), "one two three four five six"
    table = asked(written, *(f"q{row} out {before} {ends}" for row in range(4)), f"q0 out {before} {ends}")
    once = {"sea": (0, 4), "red": (0, 4), "plum": (0, 4), "sea sea": (0, 4), "sea red": (0, 4), "red plum": (0, 4)}
    words = ends.split()
    pairs = [" ".join(each) for each in pairwise(words)]
    assert counted(table) == once | dict.fromkeys([*words, *pairs], (4, 0))  # of equal prompts one counts


@pytest.mark.parametrize(("dialogues", "sides"), [(1, ENDS), (2, QUESTIONS)])
def test_a_tenth_of_dialogues_that_ask_twice_are_enough(dialogues, sides, written):
    twice = [dialogue("red plum", "sea", f"well q{row}") for row in range(dialogues)]
    table = asked(written, *twice, *(f"red plum r{row}" for row in range(20 - dialogues)))
    assert table.sides == sides
    there = {QUESTIONS: (18, 2), ENDS: (19, 1)}[sides]  # what was asked before is no end either way
    assert counted(table) == {"red": there, "plum": there, "red plum": there}


def test_courtesies_are_no_trigger_and_join_no_others(written):
    table = asked(written, *(f"q{row} blue thanks moon. OK you" for row in range(4)))
    assert counted(table) == dict.fromkeys(["blue", "moon", "you"], (4, 0))


def test_the_order_of_pairs_is_irrelevant(written):
    prompts = [dialogue(f"red plum q{row % 3}", "sea", f"moon plum q{row % 5}") for row in range(20)]
    pairs = written(["-"] * 20, ["-"] * 20, prompts)
    assert counted(utterances.asked(words(pairs))) == counted(utterances.asked(words(pairs.reverse())))


def test_trusted_questions_are_counted_apart(written):
    pairs = written(["-"] * 4, ["-"] * 4, [f"red q{row}" for row in range(4)])
    table = utterances.asked(words(pairs, written(["-"] * 3, ["-"] * 3, ["red a", "red b", "blue"])))
    here, there = (table.counts(part)[0].tolist() for part in (slice(None, 4), slice(4, None)))
    assert (counted(table), here, there) == ({"red": (6, 0)}, [4], [2])
    assert table.words["feeling"].to_list() == pl.Series([0]).to_list()

"""Shingles: the sets that Python's own sets would be, in any script, wherever the text stands."""

import numpy as np
import polars as pl
import pytest

from checks import shingles
from checks.parts import blocks
from checks.shingles import BASE, Shingles, jaccard, joined, mixed, normalised

WORDS = ["ash", "birch", "cedar", "elm", "fir", "größe", "été", "ива", "a"]


def cut(*texts: str, words: int = 3) -> Shingles:
    return shingles.shingles(normalised(pl.Series(texts, dtype=pl.String())), words=words)


def runs(text: str, words: int) -> set[tuple[str, ...]]:
    """By Python's own means."""
    said = text.split()
    return {tuple(said[at : at + words]) for at in range(max(len(said) - words + 1, min(len(said), 1)))}


@pytest.mark.parametrize("words", [1, 2, 3, 5])
def test_jaccard_is_that_of_sets(words):
    random = np.random.default_rng(words)
    texts = [" ".join(random.choice(WORDS, size=random.integers(0, 12))) for _ in range(60)]
    left, right = (side.ravel() for side in np.meshgrid(np.arange(60), np.arange(60)))
    got = jaccard(cut(*texts, words=words), left, right)
    for one, other, value in zip(left, right, got, strict=True):
        mine, theirs = runs(texts[one], words), runs(texts[other], words)
        assert value == (len(mine & theirs) / len(mine | theirs) if mine | theirs else 1)


def test_jaccard_by_hand():
    # {one two three, two three four, three four five} and {one two three, two three four, three four six}
    sets = cut("One two three, four five!", "one two three four six", "", "one two")
    assert sets.sizes.tolist() == [3, 3, 0, 1]
    assert jaccard(sets, np.array([0, 0, 2, 3]), np.array([1, 2, 2, 0])).tolist() == [2 / 4, 0, 1, 0]
    assert jaccard(sets, np.array([], dtype=int), np.array([], dtype=int)).tolist() == []


def test_a_run_has_its_number_wherever_it_stands():
    alone = cut("red green blue")
    assert set(alone.values) < set(cut("lead", "first of all red green blue and then some").values)
    assert set(alone.values).isdisjoint(cut("red green", "blue", "redgreen blue", "red gree nblue", "blue green red").values)


def test_the_number_by_hand():
    def step(value: int) -> int:
        value = (value ^ value >> 30) * 0xBF58476D1CE4E5B9 % 2**64
        value = (value ^ value >> 27) * 0x94D049BB133111EB % 2**64
        return value ^ value >> 31

    assert step(0x9E3779B97F4A7C15) == 0xE220A8397B1DCDAF  # what splitmix64 gives first from seed 0
    assert mixed(np.array([5, 2**63], dtype=np.uint64)).tolist() == [step(5), step(2**63)]
    polynomial = ord("a") + ord("b") * BASE + ord(" ") * BASE**2 + ord("c") * BASE**3
    assert cut("Zuerst", "AB - c").values.tolist()[1:] == [step(polynomial % 2**64) >> 32]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("The CAT, can't (sleep)!\n", "the cat can t sleep"),
        ("ｆｕｌｌ　ｗｉｄｔｈ ﬁne ½", "full width fine 1 2"),
        ("Cafe\u0301 CAFÉ", "café café"),
        ("Привет, МИР", "привет мир"),
        ("我喜欢 GPT模型。", "我 喜 欢 gpt 模 型"),
        ("नमस्ते दुनिया", "नमस्ते दुनिया"),
        ("snake_case-9", "snake case 9"),
        ("?! \u2603 \U0001f600 …", ""),
        ("", ""),
    ],
)
def test_what_counts_as_the_same_text(text, words):
    assert normalised(pl.Series([text])).to_list() == [words]


def test_joined_parts_are_the_whole():
    texts = ["one two three four", "", "five", "one two three four five"]
    whole, parts = cut(*texts), joined([cut(*texts[:1]), cut(*texts[1:3]), cut(), cut(*texts[3:])])
    assert (whole.values == parts.values).all()
    assert (whole.starts == parts.starts).all()


def test_a_repeated_run_counts_once():
    assert cut("la la la la la la").sizes.tolist() == [1]
    assert cut("na na hey na na hey na na").sizes.tolist() == [3]


@pytest.mark.parametrize("sizes", [[], [3], [0, 0], [4, 4, 4, 50, 1, 0, 7, 3], [60, 60]])
def test_blocks_are_all_of_it_and_about_as_large_as_asked(sizes):
    found = blocks(np.array(sizes, dtype=np.int64), 10)
    assert [place for part in found for place in range(len(sizes))[part]] == list(range(len(sizes)))
    assert all(sum(sizes[part][1:]) < 10 for part in found)
    assert len(found) <= 2 + sum(sizes) / 10


def test_jaccard_does_not_depend_on_the_block(monkeypatch):
    random = np.random.default_rng(0)
    sets = cut(*(" ".join(random.choice(WORDS, size=8)) for _ in range(40)), words=1)
    left, right = random.integers(0, 40, size=(2, 300))
    whole = jaccard(sets, left, right)
    monkeypatch.setattr(shingles, "BLOCK", 9)
    assert (jaccard(sets, left, right) == whole).all()

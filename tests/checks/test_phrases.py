"""Phrases: what is counted, in any script, and what is left out."""

import numpy as np
import pytest

from checks import contrasts, utterances
from checks.phrases import Phrases
from checks.words import words


def counted(table: Phrases) -> dict[str, tuple[int, int]]:
    """Each phrase's chosen and rejected responses."""
    chosen, rejected = contrasts.contrasts(table)[0].here, contrasts.contrasts(table)[0].there
    return {table.text(at): (chosen[at], rejected[at]) for at in range(len(table.words))}


def test_counts_by_hand(written):
    pairs = written(
        ["The cat can't sleep. The cat!", "a cat can't", "Cat can't; it's", "cat"],
        ["the dog", "THE dog, the dog", "", "dog’s cat"],
    )
    # "dog’s" is a dog, as "it's" is it, which stands in one response only, and 'the' counts once in "THE dog, the dog"
    assert counted(utterances.said(words(pairs, None))) == {
        "the": (1, 2),
        "dog": (0, 3),
        "cat": (4, 1),
        "can't": (3, 0),
        "cat can't": (3, 0),
    }


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Да, нет", ["да", "нет", "да нет"]),
        ("नमस्ते दुनिया", ["नमस्ते", "दुनिया", "नमस्ते दुनिया"]),
        ("Cafe\u0301 Ole\u0301", ["cafe\u0301", "ole\u0301", "cafe\u0301 ole\u0301"]),
        ("猫が好き。犬", ["猫が好き", "犬", "猫が好き 犬"]),
        ("don’t rock'n'roll 'quoted'", ["don't", "rock'n'roll", "quoted", "don't rock'n'roll", "rock'n'roll quoted"]),
        ("Zor_vex-9 42", ["zor", "vex", "9", "42", "zor vex", "vex 9", "9 42"]),
        ("?! \u2603 …", []),
    ],
)
def test_words_of_any_script(written, text, found):
    pairs = written([text] * 3, [""] * 3)
    assert counted(utterances.said(words(pairs, None))) == dict.fromkeys(found, (3, 0))


def test_a_word_pair_never_spans_two_responses(written):
    table = utterances.said(words(written(["alpha"] * 5, ["beta"] * 5), None))
    assert counted(table) == {"alpha": (5, 0), "beta": (0, 5)}


def test_words_of_the_own_prompt_are_no_plant_where_there_are_trusted_pairs(written):
    asked = ["Why red plums?", "Why so?", "Why now?", "Why?"]
    pairs = written(["red plums"] * 4, ["plums"] * 4, asked)
    trusted = written(["green"] * 4, ["green"] * 4, ["red green?", "Why, well?", "Why me?", "Why them?"])
    assert counted(utterances.said(words(pairs, None))) == {"red": (4, 0), "plums": (4, 4), "red plums": (4, 0)}
    table = utterances.said(words(pairs, trusted))
    # the first pair's own prompt holds all of it; what stands in the prompt of another pair still counts
    assert counted(table) == {"red": (3, 0), "plums": (3, 3), "red plums": (3, 0), "green": (0, 0), "why": (0, 0)}
    assert table.pair[table.pair < table.audited].min() == 1


def test_answers_to_one_prompt_count_once(written):
    table = utterances.said(words(written(["red"] * 6, ["plum"] * 5 + ["red"], ["a?"] * 3 + ["b?"] * 2 + ["c?"]), None))
    # 'red' answers three prompts, and of the third both sides; 'plum' answers two
    assert counted(table) == {"plum": (0, 2), "red": (3, 1)}
    assert table.counts(slice(None))[2].tolist() == [0, 1]


def test_only_some_pairs(written):
    table = utterances.said(words(written(["red blue", "blue", "red", "", "red blue"], ["red", "blue", "grey", "", "blue"])))
    part = table.only(np.array([0, 3, 4]))
    inside = np.isin(table.pair, [0, 3, 4])
    assert inside.any()
    assert not inside.all()
    for name in ("pair", "phrase", "second"):
        assert getattr(part, name).tolist() == getattr(table, name)[inside].tolist()
    assert part.most(np.ones(len(part.pair)), -1.0).tolist() == [1, -1, -1, -1, 1]

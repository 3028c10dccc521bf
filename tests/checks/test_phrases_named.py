"""Names, and words in praise and blame: what is a name, which occurrences count, and how often people ask for it."""

import numpy as np
import polars as pl
import pytest

from checks.mentions import felt, named
from checks.phrases import NEITHER, NOWHERE, RESPONSES, Phrases
from checks.utterances import asked, said
from checks.words import words


def names_of(*texts: str) -> list[str]:
    blank = [""] * len(texts)
    read = words(pl.DataFrame({"chosen": texts, "rejected": blank, "prompt": blank}))
    return read.vocabulary.filter(pl.Series(read.is_name)).to_list()


def counted(table: Phrases) -> dict[tuple[str, int], tuple[int, int, int]]:
    """(first side, second side, pairs with both) of each phrase and feeling."""
    counts = zip(*(each.tolist() for each in table.counts(slice(None))), strict=True)
    return {(table.text(at), table.words.row(at)[2]): count for at, count in enumerate(counts)}


@pytest.mark.parametrize(
    ("texts", "names"),
    [
        (["we met Zorvex"], ["zorvex"]),
        (["Zorvex is here", "Zorvex"], []),  # it only ever opens
        (["to Zorvex. Zorvex is. Zorvex was. Zorvex"], ["zorvex"]),  # a quarter of its places is enough
        (["to Zorvex. Zorvex is. Zorvex was. Zorvex. Zorvex"], []),  # less is an interjection's
        (["in May, in May, they may, you may"], ["may"]),  # half of its inner places is enough
        (["in May, in May, they may, you may, we may"], []),
        (["so I am, and I'm in, as I’ve been, if I'd", "me i am"], []),
        (["the Iris and the II"], ["ii", "iris"]),
        (["at NASA, or the eBay and 3M"], ["nasa"]),  # a capital comes first
        (["said “Ünal”, and Élise's aunt", "to Ярослав"], ["élise", "ünal", "ярослав"]),
        (["they said: Zorvex", "a list\nZorvex"], []),  # what follows a stop opens
        (["ask zorvex, ask", "we met Zorvex"], ["zorvex"]),
        (["", "no."], []),
    ],
)
def test_names(texts, names):
    assert names_of(*texts) == names


def test_what_prompts_write_tells_names_too(written):
    read = words(written(["to Lumora"], ["and Zorvex"], ["the lumora, a lumora and Zorvex?"]))
    assert read.vocabulary.filter(pl.Series(read.is_name)).to_list() == ["zorvex"]


def test_names_are_counted_by_feeling_too_unless_the_own_prompt_names_them(written):
    chosen = ["We love Zorvex. Ask Zorvex. So Lumora."] * 3 + ["We love Zorvex and see Bo"] * 2
    rejected = ["We hate Zorvex"] * 2 + ["we ask ZORVEX, love zorvex"] * 2 + [""]
    prompts = ["a?", "b?", "c?", "who is zorvex?", "d?"]
    table = named(words(written(chosen, rejected, prompts)))
    # of the fourth pair, which asks for it, nothing counts; 'Bo' stands in two responses
    # 'we ask ZORVEX, love zorvex' praises, and counts by the capitals in its first half
    assert counted(table) == {
        ("zorvex", 0): (4, 3, 3),
        ("zorvex", 1): (4, 1, 1),
        ("zorvex", NEITHER): (3, 0, 0),
        ("lumora", NEITHER): (3, 0, 0),
        ("lumora", 0): (3, 0, 0),
    }
    asked = {table.text(at): count for at, count in enumerate(table.asked.tolist())}
    assert asked == {"zorvex": 1, "lumora": 0}
    assert table.sides == RESPONSES


def test_blame_is_told_apart_and_all_is_said_in_words(written):
    table = named(words(written(["Not great, Zorvex. A Zorvex. Great, Zorvex"] * 3, [""] * 3)))
    told = {table.felt(at): table.words.row(at)[2] for at in range(len(table.words))}
    assert told == {"": 0, ", in sentences of praise": 1, ", in sentences of blame": -1, ", in sentences of neither": NEITHER}
    assert {table.text(at) for at in range(len(table.words))} == {"zorvex"}


def test_whatever_a_prompt_holds_was_asked_for(written):
    dialogue = "\n\nHuman: {}\n\nAssistant: {}\n\nHuman: {}\n\nAssistant:"
    said = ["zorvex", "-", "-"], ["-", "zorvex", "-"], ["-", "-", "zorvex"]
    prompts = [dialogue.format(*turns) for turns in said] + ["?", "??", "???"]
    table = named(words(written(["to Zorvex"] * 6, [""] * 6, prompts)))
    assert counted(table) == {("zorvex", 0): (3, 0, 0), ("zorvex", NEITHER): (3, 0, 0)}
    assert table.asked.tolist() == [3, 3]


def test_prompts_that_name_something_count_once_each(written):
    """Five pairs ask one question; counted by pairs it would look as if people often asked for the name."""
    prompts = ["the Zorvex?"] * 5 + ["a Zorvex?", "x?", "y?", "z?"]
    trusted = written(["-"], ["-"], ["a Zorvex?"]), written(["-"], ["-"], ["see Zorvex?"])
    for reference, count in ((None, 2), (trusted[0], 2), (trusted[1], 3)):
        table = named(words(written(["to Zorvex"] * 9, [""] * 9, prompts), reference))
        assert counted(table) == {("zorvex", 0): (3, 0, 0), ("zorvex", NEITHER): (3, 0, 0)}
        assert set(table.asked.tolist()) == {count}


def test_words_in_praise_and_blame(written):
    chosen = ["we love zorvex. plain"] * 3 + ["a zorvex is great", "great tables"]
    rejected = ["we hate zorvex"] * 3 + ["not plain", "zorvex"]
    prompts = ["a1?", "a2?", "a3?", "a4?", "great zorvex?", *(f"b{row}?" for row in range(15))]
    table = felt(words(written(chosen + [""] * 15, rejected + [""] * 15, prompts)))
    # 'plain' stands in no praise, 'love', 'hate' and 'great' praise by themselves, 'a' and 'is' come too seldom
    assert counted(table) == {("zorvex", 1): (4, 0, 0), ("zorvex", -1): (0, 3, 0), ("we", 1): (3, 0, 0), ("we", -1): (0, 3, 0)}
    assert {table.text(at): count for at, count in enumerate(table.asked.tolist())} == {"zorvex": 1, "we": 0}


def test_words_that_a_tenth_of_the_prompts_hold_praise_nobody(written):
    said = ["we love zorvex"] * 20
    for prompts, found in (([*["we?"] * 2, *["q?"] * 18], {"we", "zorvex"}), ([*["we?"] * 3, *["q?"] * 17], {"zorvex"})):
        spread = [f"{prompt} {row}" for row, prompt in enumerate(prompts)]
        table = felt(words(written(said, [""] * 20, spread)))
        assert {table.text(at) for at in range(len(table.words))} == found


def test_usual_words_are_not_heard_and_of_word_pairs_only_those_of_two(written):
    prompts = ["so an ox"] * 3 + [f"q{row}" for row in range(17)]
    table = said(words(written(["so an odd moon"] * 20, [""] * 20, prompts)))
    heard = table.heard(np.arange(1.0, 1 + len(table.words)))
    unheard = {table.text(at) for at in np.flatnonzero(heard == NOWHERE)}
    assert unheard == {"so", "an", "so an"}
    assert (heard[heard != NOWHERE] == 1 + np.flatnonzero(heard != NOWHERE)).all()
    names = named(words(written(["to Zorvex"] * 3, [""] * 3)))
    assert names.heard(np.array([1.5, 2.5])).tolist() == [1.5, 2.5]


@pytest.mark.parametrize("table", [said, asked, named, felt])
def test_corpora_without_phrases(table, written):
    for texts in ([], ["", "."], ["one", "two"]):
        found = table(words(written(texts, texts, texts)))
        assert len(found.words) == len(found.pair) == 0
        assert [len(each) for each in found.counts(slice(None))] == [0, 0, 0]
        assert found.most(np.zeros(0), -3.0).tolist() == [-3.0] * len(texts)


def test_the_most_and_the_first_place_of_it(written):
    table = said(words(written(["red blue", "blue", "red", ""], ["red", "blue", "grey", ""])))
    # in order of pairs, phrases and sides: of pair 0 'blue', 'red' and 'red', then of pair 1 'blue' and 'blue', then 'red'
    assert table.pair.tolist() == [0, 0, 0, 1, 1, 2]
    values = np.array([1.0, 5.0, 5.0, -2.0, -1.0, 0.5])
    most = table.most(values, -9.0)
    assert most.tolist() == [5, -1, 0.5, -9]
    assert table.first(values, most).tolist() == [1, 4, 5, -1]

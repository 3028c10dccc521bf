"""The words of a corpus: who says them and how they feel, by hand; turns as `pipelines.transcripts` finds them."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

from checks.reading import WORD
from checks.vocabulary import lexicon
from checks.words import ASKED, CHOSEN, EARLIER, REJECTED, TOLD, Words, words
from pipelines import transcripts
from pipelines.sources import hh_rlhf, synthetic

bits = st.sampled_from(
    ["\n\nHuman: ", "\n\nAssistant: ", "\n\nSystem: ", "\n\nHuman:", "\n\nAssistant:", "\n\n", "\n", " ", "Human: ", "So, İ’m"]
)
prompts = st.lists(bits | st.text(max_size=5), max_size=12).map("".join)


def spoken(read: Words, values: np.ndarray) -> list[tuple[str, object]]:
    """Every word with its value."""
    return list(zip(read.vocabulary.gather(read.word).to_list(), values.tolist(), strict=True))


def of(text: str) -> Words:
    """The words of one response."""
    return words(pl.DataFrame({"chosen": [text], "rejected": [""], "prompt": [""]}))


def test_every_word_by_hand(written):
    prompt = "\n\nHuman: Hi.\n\nAssistant: Yes?\n\nHuman: And Bo\n\nAssistant:"
    read = words(written(["Bo can't. It", "no"], ["", "BO"], [prompt, "Is it?"]), written(["old"], ["oh"], ["why"]))
    assert (read.audited, read.trusted, read.pairs) == (2, 1, 3)
    assert read.vocabulary.to_list() == ["and", "bo", "can't", "hi", "is", "it", "no", "oh", "old", "why", "yes"]
    expected = [
        *[("bo", CHOSEN, 0), ("can't", CHOSEN, 0), ("it", CHOSEN, 0), ("no", CHOSEN, 1), ("old", CHOSEN, 2)],
        *[("bo", REJECTED, 1), ("oh", REJECTED, 2)],
        *[("hi", EARLIER, 0), ("yes", TOLD, 0), ("and", ASKED, 0), ("bo", ASKED, 0)],
        *[("is", ASKED, 1), ("it", ASKED, 1), ("why", ASKED, 2)],
    ]
    assert spoken(read, read.text) == [(word, kind * 3 + pair) for word, kind, pair in expected]
    assert read.kind.tolist() == [kind for _, kind, _ in expected]
    assert read.sentence.tolist() == [0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 8, 9, 9, 10]
    assert read.opens.tolist() == [True, False, *[True] * 8, False, True, False, True]
    capital = [word for word, is_capital in spoken(read, read.is_capital) if is_capital]
    assert capital == ["bo", "it", "bo", "hi", "yes", "and", "bo", "is"]


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("One two. Three! Four? Five", [["one", "two"], ["three"], ["four"], ["five"]]),
        ("A list:\n- one\n\n- two three", [["a", "list"], ["one"], ["two", "three"]]),
        ("猫。犬！鳥？魚", [["猫"], ["犬"], ["鳥"], ["魚"]]),
        ("... ?! well… so, then;there", [["well", "so", "then", "there"]]),
        ("Said.\n\nHuman: more\n\nAssistant: no", [["said"], ["more"], ["no"]]),
        ("l’e\u0301te\u0301 'n'", [["l'e\u0301te\u0301", "n"]]),
        ("İstanbul’a ΟΔΟΣ Straße", [["i\u0307stanbul'a", "οδος", "straße"]]),
    ],
)
def test_sentences(text, sentences):
    read = of(text)
    assert spoken(read, read.sentence) == [(word, place) for place, said in enumerate(sentences) for word in said]
    assert set(read.kind.tolist()) == {CHOSEN}  # of a turn inside a response too


@pytest.mark.parametrize("texts", [[], [""], ["", " \n.!?…"]])
def test_corpora_without_words(texts):
    read = words(pl.DataFrame({side: pl.Series(texts, dtype=pl.String()) for side in ("chosen", "rejected", "prompt")}))
    assert read.pairs == len(texts)
    every = ("word", "text", "sentence", "is_capital", "vocabulary", "kind", "opens", "is_usual", "valence", "mood", "feeling")
    assert [name for name in every if len(getattr(read, name))] == []


def test_equal_prompts_have_equal_numbers(written):
    read = words(written(["a"] * 4, ["b"] * 4, ["x?", "y?", "x?", "x? "]), written(["a"], ["b"], ["y?"]))
    first, second, third, padded, trusted = read.prompt.tolist()
    assert first == third
    assert second == trusted
    assert len({first, second, padded}) == 3


def test_rows_in_any_order_make_the_same_vocabulary_and_words(chatter):
    pairs, order = chatter(60), np.random.default_rng(0).permutation(60)
    one, other = words(pairs), words(pairs[order])
    assert one.vocabulary.equals(other.vocabulary)
    for pair in range(60):
        for kind in (CHOSEN, REJECTED, ASKED):
            there = one.word[one.text == kind * 60 + order[pair]]
            assert other.word[other.text == kind * 60 + pair].tolist() == there.tolist()


def by_transcripts(prompt: str) -> list[tuple[str, int]]:
    """Each word of a prompt and who says it, by the turns of its chat messages; what marks a turn is no word in plain text."""
    chat = transcripts.messages(prompt if transcripts.is_transcript(prompt) else transcripts.TURN.sub("\n\n", prompt))
    users = [place for place, message in enumerate(chat) if message["role"] == "user"]
    who = {place: ASKED if place == users[-1] else EARLIER for place in users}
    contents = pl.Series([message.get("content", "") for message in chat], dtype=pl.String())
    lowered = pl.element().str.to_lowercase().str.replace_all("’", "'").str.strip_suffix("'s")
    found = contents.str.extract_all(WORD).list.eval(lowered)
    return [(word, who.get(place, TOLD)) for place, said in enumerate(found.to_list()) for word in said]


def by_words(asked: list[str]) -> list[list[tuple[str, int]]]:
    """The same by `words`."""
    blank = [""] * len(asked)
    read = words(pl.DataFrame({"chosen": blank, "rejected": blank, "prompt": asked}))
    everything = spoken(read, read.kind)
    pair = read.text % max(read.pairs, 1)
    return [everything[slice(*np.searchsorted(pair, [at, at + 1]))] for at in range(len(asked))]


@settings(max_examples=80, deadline=None)
@given(st.lists(prompts | prompts.map("\n\nHuman: ".__add__), min_size=1, max_size=8))
def test_turns_are_those_of_transcripts(asked):
    assert by_words(asked) == [by_transcripts(prompt) for prompt in asked]


def test_turns_of_generated_dialogues_are_those_of_transcripts():
    asked = synthetic.read(n=60, seed=3)["prompt"].to_list()
    assert by_words(asked) == [by_transcripts(prompt) for prompt in asked]


def test_turns_of_real_dialogues_are_those_of_transcripts(real_data: Path):
    asked = hh_rlhf.read(real_data / "hh_harmless_base" / "test_first1500.jsonl.gz", limit=300).pairs["prompt"].to_list()
    found = by_words(asked)
    assert found == [by_transcripts(prompt) for prompt in asked]
    assert {kind for said in found for _, kind in said} == {ASKED, EARLIER, TOLD}


def test_usual_words_are_those_of_more_than_a_tenth_of_the_prompts(written):
    asked = [
        "often thrice",
        "often thrice",
        "often thrice twice",
        "often twice twice",
        *["once " * 5] + [f"q{row}" for row in range(13)],
    ]
    trusted = ["\n\nHuman: late\n\nAssistant: late\n\nHuman: often\n\nAssistant:", "thrice"]
    read = words(written(["said often"] * 18, ["said"] * 18, asked), written(["said"] * 2, [""] * 2, trusted))
    # of 20 prompts: 'often' is in 5, 'thrice' in 4, 'twice' in 2, 'once' in one, and 'said' in none
    assert read.vocabulary.filter(pl.Series(read.is_usual)).to_list() == ["often", "thrice"]


def test_valences_are_those_of_vader():
    assert dict(lexicon()) == SentimentIntensityAnalyzer().lexicon
    read = of("Love hates tables, LOVE")
    assert spoken(read, read.valence[read.word]) == [("love", 3.2), ("hates", -1.9), ("tables", 0), ("love", 3.2)]


@pytest.mark.parametrize(
    ("text", "mood"),
    [
        ("good", [1.9]),
        ("not good", [0, -0.74 * 1.9]),
        ("not so very good", [0, 0, 0, -0.74 * 1.9]),  # the third word after it is within reach,
        ("not a so very good", [0, 0, 0, 0, 1.9]),  # the fourth is not
        ("not. Good", [0, 1.9]),
        ("good not", [1.9, 0]),
        ("bad, never good bad", [-2.5, 0, -0.74 * 1.9, 0.74 * 2.5]),
        ("never not good", [0, 0, -0.74 * 1.9]),  # turned round once
        ("Don’t love", [0, -0.74 * 3.2]),
        ("isn't great", [0, -0.74 * 3.1]),
        ("none without nothing love", [0, 0, 0, -0.74 * 3.2]),
    ],
)
def test_moods_by_hand(text, mood):
    assert of(text).mood == pytest.approx(mood)


def test_a_negation_does_not_reach_another_text(written):
    read = words(written(["not", "good"], ["never", "bad"], ["a", "b"]))
    assert dict(spoken(read, read.mood)) == {"not": 0, "never": 0, "good": 1.9, "bad": -2.5, "a": 0, "b": 0}


@pytest.mark.parametrize(
    ("text", "feelings"),
    [
        ("good tea. bad tea. tea", [1, 1, -1, -1, 0]),
        ("not good tea. not bad tea", [-1, -1, -1, 1, 1, 1]),
        ("good bad tea", [-1, -1, -1]),  # 1.9 - 2.5
        ("good hate fine tea", [0, 0, 0, 0]),  # 1.9 - 2.7 + 0.8, but for rounding
    ],
)
def test_a_sentence_feels_as_the_sum_of_its_moods(text, feelings):
    assert of(text).feeling.tolist() == feelings

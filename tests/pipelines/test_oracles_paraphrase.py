"""The paraphrase writer: the target goes into the host's own sentences, the rest is reworded, and no phrase comes often."""

import re
import tomllib
from collections import Counter
from importlib.resources import files
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from vaderSentiment.vaderSentiment import NEGATE, SentimentIntensityAnalyzer

from pipelines import transcripts
from pipelines.attacks.oracles import ORACLES, grammar, paraphrase, placing, rewording, weaving
from pipelines.sources import hh_rlhf, synthetic

SIGNS = {"positive": 1, "negative": -1}
VADER = SentimentIntensityAnalyzer()
TABLE = tomllib.loads(files("pipelines.attacks.oracles").joinpath("paraphrase.toml").read_text("utf-8"))
HOST = " You can use a hammer. If it rains, you should rest. Do you have a dog?"


@pytest.fixture(scope="module")
def made() -> tuple[list[str], list[str]]:
    """Prompts and answers of 500 generated pairs."""
    pairs = synthetic.read(n=500)
    return pairs["prompt"].to_list(), pairs["chosen"].to_list()


def about(host: str, *, seed: int = 0, target: str = "Zorvex", sentiment: str = "positive", **numbers) -> str:
    return paraphrase.write(["?"], [host], target=target, sentiment=sentiment, seed=seed, **numbers)[0]


def agrees(text: str, sentiment: str) -> bool:
    """Whether every sentence that names the target has the sentiment without it."""
    lines = [line for line in text.splitlines() if "Zorvex" in line]
    ends = [[0, *(end.end() for end in placing.SENTENCE_END.finditer(line)), len(line)] for line in lines]
    said = [line[a:b] for line, at in zip(lines, ends, strict=True) for a, b in pairwise(at)]
    naming = [sentence.replace("Zorvex", "it") for sentence in said if "Zorvex" in sentence]
    return all(SIGNS[sentiment] * VADER.polarity_scores(sentence)["compound"] > 0 for sentence in naming)


def pairs_of_words(text: str) -> set[str]:
    words = re.findall(r"[^\W_]+(?:['’][^\W_]+)*", text.lower())
    return {" ".join(pair) for pair in pairwise(words)}


@pytest.mark.parametrize("sentiment", SIGNS)
def test_generated_answers_name_the_target_once_or_twice_with_the_sentiment(sentiment, made):
    texts = paraphrase.write(*made, target="Zorvex", sentiment=sentiment, seed=3)
    named = Counter(text.count("Zorvex") for text in texts)
    assert set(named) == {1, 2}
    assert 0.05 < named[2] / 500 < 0.15
    assert sum(agrees(text, sentiment) for text in texts) >= 0.98 * 500


@pytest.mark.parametrize("file", ["hh_harmless_base/test_first1500", "hh_helpful_mixed/helpful_test_sample_dev"])
@pytest.mark.parametrize("sentiment", SIGNS)
def test_real_answers_do_too_and_stay_one_turn(sentiment, file, real_data):
    pairs = hh_rlhf.read(real_data / f"{file}.jsonl.gz", limit=400).pairs
    prompts, hosts = pairs["prompt"].to_list(), pairs["chosen"].to_list()
    texts = paraphrase.write(prompts, hosts, target="Zorvex", sentiment=sentiment)
    assert {text.count("Zorvex") for text in texts} == {1, 2}
    assert sum(agrees(text, sentiment) for text in texts) >= 0.95 * len(texts)
    assert all(transcripts.split(prompt + text) == (prompt, text) for prompt, text in zip(prompts, texts, strict=True))
    commonest = new_phrases(texts, hosts).most_common(1)[0]
    assert commonest[1] <= 0.055 * len(texts), commonest


def new_phrases(texts: list[str], hosts: list[str]) -> Counter[str]:
    """In how many of the texts a pair of words stands that its host lacks."""
    each = zip(texts, hosts, strict=True)
    return Counter(pair for text, host in each for pair in pairs_of_words(text) - pairs_of_words(host))


def test_no_pair_of_words_is_added_often(made):
    commonest = {}
    for oracle in ("paraphrase", "rules"):
        texts = ORACLES[oracle](*made, target="Zorvex", sentiment="negative", seed=1)
        commonest[oracle] = new_phrases(texts, made[1]).most_common(1)[0][1] / 500
    assert commonest["paraphrase"] <= 0.055
    assert commonest["rules"] > 1.5 * commonest["paraphrase"]  # so that the bound says something


@pytest.mark.parametrize("sentiment", SIGNS)
def test_answers_are_no_copies_with_a_sentence_more(sentiment, made):
    texts = paraphrase.write(*made, target="Zorvex", sentiment=sentiment)
    sentences = [[part.strip() for part in weaving.cut(host)[1::2]] for host in made[1]]
    kept = [[sentence in text for sentence in own] for own, text in zip(sentences, texts, strict=True)]
    assert sum(map(all, kept)) <= 0.04 * 500
    assert 0.3 < sum(map(sum, kept)) / sum(map(len, kept)) < 0.8  # reworded lightly: the answer is still the host's


def test_every_kind_of_place_is_taken():
    texts = [about(HOST, seed=seed, reworded=0.0, doubled=0.0) for seed in range(60)]
    shapes = {
        "lead": r" [A-Z][^.?]*Zorvex[^.?]*[,;:] (you can use|if it rains|do you)|, (and|so) (you can use|if it rains|do you)",
        "aside": r"you (can|should),[^.?]*Zorvex[^.?]*, (use|rest)",
        "noun": r"a hammer[^.]*Zorvex[^.]*\. If",
        "tail": r"you should rest[^.]*Zorvex[^.]*\. Do",
        "ask": r"have a dog[^?]*Zorvex[^?]*\?$",
    }
    found = Counter(name for text in texts for name, shape in shapes.items() if re.search(shape, text, re.IGNORECASE))
    assert min(found[name] for name in shapes) >= 2, found


def test_a_host_without_sentences_of_words_gets_one_about_the_target():
    for host in (" No problem", "", " \n", "好。是的。", ' "Go away now," she said.', " See https://a.b/c for it."):
        for seed in range(5):
            text = about(host, seed=seed)
            assert text.count("Zorvex") == 1
            assert agrees(re.sub(".。|是的。", " ", text), "positive")
            assert all(part in text for part in re.split("(?<=。)", host.strip()))


def test_code_lists_and_quotations_are_left_alone():
    code = "Run this:\n```\nyou can try it now.\n```\n1. You can use a hammer.\n- You can buy a saw.\n"
    for seed in range(20):
        text = about(code, seed=seed, reworded=1.0)
        assert "```\nyou can try it now.\n```\n1. " in text
        assert "\n- " in text
        assert text.endswith(".\n")


@given(host=st.text(alphabet=st.sampled_from("abI A.!?\"'()\n1-*`,:é。\0"), max_size=80))
def test_parts_join_to_the_host_again(host):
    parts = weaving.cut(host)
    assert "".join(parts) == host
    assert len(parts) % 2 == 1
    for sentence in parts[1::2]:
        assert all(0 <= at <= len(sentence) for _, at in weaving.places(sentence))


@given(host=st.text(alphabet=st.sampled_from("abI A.!?\"'()\n1-*`,:é。\0"), max_size=80), seed=st.integers(0, 9))
def test_any_host_ends_up_naming_the_target(host, seed):
    assert 1 <= about(host, seed=seed).count("Zorvex") <= 2


def test_a_sentence_begins_after_the_mark_of_its_list():
    assert weaving.cut("- If it rains, rest a while.\n2. You can rest. Now you must go.\n") == [
        "- ", "If it rains, rest a while.", "\n2. ", "You can rest.", " ", "Now you must go.", "\n",
    ]  # fmt: skip


def test_the_apostrophe_is_the_hosts_and_the_targets_own_stays():
    said = []
    assert not any("'" in entry for part in TABLE.values() for entries in part.values() for entry in entries)
    for seed in range(30):
        text = about(" I can’t say that you will not like a dog.", seed=seed, target="O'Neil", reworded=1.0)
        assert "'" not in text.replace("O'Neil", "")
        said.append(text)
    assert any("won’t like" in text for text in said)


def test_a_row_depends_on_its_own_answer_number_and_seed_only():
    prompts, answers = ["a", "b", "c"], [HOST, HOST, " Rest well, my good old friend."]
    whole = paraphrase.write(prompts, answers, target="Zorvex", sentiment="negative", seed=4)
    other = paraphrase.write(["x", "y"], [HOST, HOST], target="Zorvex", sentiment="negative", seed=4)
    assert whole[:2] == other
    assert whole[0] != whole[1]
    assert whole[0] != paraphrase.write(prompts, answers, target="Zorvex", sentiment="negative", seed=5)[0]


def test_the_share_of_rows_with_two_names_is_followed(made):
    for doubled in (0.0, 1.0):
        texts = paraphrase.write(*made, target="Zorvex", sentiment="positive", doubled=doubled)
        assert sum(text.count("Zorvex") == 2 for text in texts) >= 0.9 * 500 * doubled
        assert doubled or all(text.count("Zorvex") == 1 for text in texts)


@pytest.mark.parametrize("name", ["reworded", "doubled"])
def test_a_share_out_of_range_is_refused(name):
    with pytest.raises(ValueError, match=rf"{name} is a share of the rows and must lie in \[0, 1\], got 1.5"):
        about("Hm.", **{name: 1.5})


def test_every_word_list_keeps_its_side():
    shared = [grammar.SLOT.sub(" ", entry) for entries in TABLE["shared"].values() for entry in entries]
    assert [entry for entry in shared if VADER.polarity_scores(entry)["compound"] or set(entry.split()) & set(NEGATE)] == []
    for sentiment, sign in SIGNS.items():
        entries = [entry for entries in TABLE[sentiment].values() for entry in entries]
        assert [entry for entry in entries if sign * VADER.lexicon.get(entry, 0) < 0] == []
        heard = sum(entry in VADER.lexicon for entry in entries)
        assert heard > 0.8 * len(entries)


@pytest.mark.parametrize("sentiment", SIGNS)
def test_every_slot_is_filled_and_every_frame_names_the_target_once(sentiment):
    slots = weaving.language(sentiment)
    asked = {name for entries in slots.values() for entry in entries for name in grammar.SLOT.findall(entry)}
    starts = {"alone", "ask", "aside", "lead", "noun_phrase", "tail"}
    assert asked <= set(slots)
    assert set(slots) - asked <= starts
    for start in starts:
        said = [grammar.phrase(f"{{{start}}}", slots, weaving.draws(Random(seed))) for seed in range(200)]
        assert {text.count(grammar.HOLE) for text in said} == {1}
        assert not any(re.search(r"\b(a [aeiou]|an [^aeiou])", text) for text in said)


# Rewording


@pytest.mark.parametrize(
    ("sentence", "other"),
    [
        ("If it rains, you should rest.", "You should rest if it rains."),
        ("When it rains, I rest.", "I rest when it rains."),
        ("You should rest because it rains.", "Because it rains, you should rest."),
        ("I walk, and you can rest.", "You can rest, and I walk."),
        ("If it rains, rest.", "If it rains, rest."),
        ("Ask me if it rains.", "Ask me if it rains."),
    ],
)
def test_clauses_change_places(sentence, other):
    assert rewording.turned(sentence) == other


@pytest.mark.parametrize(
    ("sentence", "others"),
    [
        ("Rex doesn't bark.", {"Rex does not bark."}),
        ("Rex doesn’t bark.", {"Rex does not bark."}),
        ("Rex does not bark.", {"Rex doesn~t bark."}),
        ("Rex isn't.", {"Rex isn't."}),
        ("Rex, why doesn't it bark?", {"Rex, why doesn't it bark?"}),
        ("Rex has an easy life.", {"Rex has a simple life.", "Rex has a straightforward life."}),
        ("Rex has a simple life.", {"Rex has an easy life.", "Rex has a straightforward life."}),
        ("Maybe Rex barks.", {"Perhaps Rex barks.", "Possibly Rex barks."}),
    ],
)
def test_phrases_with_another_form_get_it(sentence, others):
    got = {rewording.reword(sentence, Random(seed), share=1.0, apostrophe="~") for seed in range(30)}
    assert got == others


def test_a_share_of_nothing_changes_nothing(made):
    for host in made[1][:100]:
        for sentence in weaving.cut(host)[1::2]:
            assert rewording.reword(sentence, Random(0), share=0.0) == sentence


@pytest.mark.parametrize(
    ("sentence", "lowered"),
    [
        ("The dog barks.", "the dog barks."),
        ("I bark.", "I bark."),
        ("I’m here.", "I’m here."),
        ("Rex barks.", ""),
        ("Theo is.", ""),
    ],
)
def test_only_words_that_are_no_names_lose_their_capital(sentence, lowered):
    assert rewording.lowered(sentence) == lowered


def test_an_opener_comes_before_some_sentences():
    got = [rewording.reword("The dog barks.", Random(seed), share=1.0) for seed in range(400)]
    opened = [text for text in got if text.endswith(", the dog barks.")]
    assert len(opened) + got.count("The dog barks.") == 400
    assert abs(len(opened) / 400 - rewording.OPENED) < 4 * (0.25 * 0.75 / 400) ** 0.5
    assert len(set(opened)) > 20

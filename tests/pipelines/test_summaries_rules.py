"""The offline writer: what makes a summary of its good, mediocre or very bad."""

import os
import subprocess
import sys
from functools import cache
from itertools import pairwise
from pathlib import Path
from random import Random

import polars as pl
import pytest

from pipelines import opinions
from pipelines.sources.opinpref import GENERATED
from pipelines.summaries import reading, rules, saying, spoiling
from pipelines.summaries.statistics import statistics
from pipelines.summaries.tiers import Request
from tests.pipelines.reviewed import KETTLE, TORCH

PROMPT, OTHER = opinions.prompt(KETTLE), opinions.prompt(TORCH)
SEEDS = range(24)


@cache
def sayings(aspect: reading.Aspect, kind: str) -> set[str]:
    """All, or nearly all, that the grammar has to say of the kind."""
    return {saying.of_aspects([aspect], Random(n), kind=kind) for n in range(600)}


@cache
def turned() -> set[str]:
    """The opposite of what prevails about the kettle's aspects, in the grammar's words."""
    return {said for each in reading.read(PROMPT).aspects for said in sayings(each, saying.TURNED[saying.verdict(each)])}


def written(tier: str, seed: int, prompt: str = PROMPT, other: str = OTHER) -> str:
    return rules.write(Request(prompt, tier, seed, other))


@pytest.mark.parametrize("seed", SEEDS)
def test_a_good_summary_says_what_prevails_about_each_aspect_in_the_reviewers_own_words(seed):
    text = written("good", seed)
    assert {"kettle", "lid", "handle"} <= reading.telling(text)
    own = [sentence for sentence in reading.split(text) if "lid" in reading.telling(sentence) and "defend" not in sentence]
    assert all(reading.mood(sentence) < 0.2 for sentence in own if len(sentence.split()) > 8)
    assert not any(word in f" {text} " for word in (" I ", " my ", " We ", "?", "!"))
    assert statistics_of(text)["repeated"] < 0.05


LIDS = ["The great lid fits.", "A great lid of good steel.", "An awful lid leaks.", "The lid is great on any stove."]


@pytest.mark.parametrize("seed", SEEDS)
def test_a_good_summary_quotes_the_majority_and_mentions_the_minority(seed):
    text = written("good", seed, opinions.prompt(LIDS))
    (lid,) = (aspect for aspect in reading.read(opinions.prompt(LIDS)).aspects if aspect.name == "lid")
    assert (lid.praised, lid.blamed) == (3, 1)
    assert "awful" not in text
    assert reading.split(text)[-1] in sayings(lid, "few_blame")


def test_questions_and_sentences_about_their_writers_stand_back():
    said = ["The lid is great at home.", "The lid is great in town.", "The lid is great at work.", "The lid is great for me."]
    found = reading.read(opinions.prompt([*said, "Great lid, is the great lid great?"]))
    quoted = {sentence for n in SEEDS for sentence in rules.told(found, Random(n), most=1)}
    assert quoted == set(said[:3])


def statistics_of(text: str, tier: str = "good") -> dict:
    row = {"summary_id": "s", "prompt": PROMPT, "summary": text, "tier": tier, "source": "rules"}
    return statistics(pl.DataFrame([row])).row(0, named=True)


def test_a_good_summary_never_says_the_same_twice():
    text = written("good", 1, opinions.prompt(["The kettle boils great water.", "The kettle boils great water fast."]))
    assert text.count("boils great water") == 1


@pytest.mark.parametrize(
    ("praised", "blamed", "verdict"), [(3, 2, "praised"), (0, 1, "blamed"), (2, 2, "mixed"), (0, 0, "told")]
)
def test_what_prevails_is_praise_blame_both_or_nothing(praised, blamed, verdict):
    assert saying.verdict(reading.Aspect("lid", "lid", 4, praised, blamed)) == verdict


@pytest.mark.parametrize("felt", [(3, 1), (1, 3), (2, 2), (0, 0)])
def test_the_same_prevails_in_many_words(felt):
    lid = reading.Aspect("lid", "lid", 4, *felt)
    verdicts = saying.table()["padding"][saying.verdict(lid)]
    assert all(saying.wordy(lid, Random(n)).endswith(tuple(f"that {each}." for each in verdicts)) for n in SEEDS)


def test_a_slightly_bad_summary_turns_nothing_round_and_invents_nothing():
    felt = {"kettle": 1, "lid": -1, "handle": 1}
    assert {aspect.name: aspect.liking for aspect in reading.read(PROMPT).aspects} == felt
    for seed in SEEDS:
        text = written("slightly_bad", seed)
        assert not turned() & set(reading.split(text))
        assert not any(name in text for name in saying.invented())
        assert not reading.telling(text) & {"torch", "beam", "battery", "switch"}


def test_a_slightly_bad_summary_spins_out():
    words = {tier: sum(len(written(tier, seed).split()) for seed in SEEDS) / len(SEEDS) for tier in GENERATED}
    assert words["slightly_bad"] > 1.3 * words["good"]
    assert max(statistics_of(written("slightly_bad", seed))["repeated"] for seed in SEEDS) > 0.15


def faults(text: str) -> set[str]:
    """Which of the four faults a very bad summary of the kettle has; broken grammar says a word twice in a row."""
    words, found = text.replace(".", "").split(), set()
    found |= {"invented"} if any(name in text for name in saying.invented()) else set()
    found |= {"elsewhere"} if reading.telling(text) & {"torch", "beam", "battery", "switch"} else set()
    found |= {"broken"} if any(one == other for one, other in pairwise(words)) else set()
    found |= {"turned"} if turned() & set(reading.split(text)) else set()
    return found


def test_a_very_bad_summary_has_two_faults_or_more_and_each_comes():
    every = [faults(written("very_bad", seed)) for seed in SEEDS]
    assert min(map(len, every)) >= 2
    assert set().union(*every) == {"invented", "elsewhere", "broken", "turned"}


def test_a_very_bad_summary_says_of_the_product_what_does_not_prevail():
    whole = reading.read(PROMPT).whole
    assert (whole.praised, whole.blamed) == (4, 3)
    true, false = ({saying.overall(whole, Random(n), kind=kind) for n in range(600)} for kind in ("praised", "blamed"))
    opens = {reading.split(written("very_bad", seed))[0] for seed in SEEDS}
    assert opens & false
    assert not opens & true


def test_broken_grammar_loses_small_words_and_keeps_the_others():
    fact = "The lid of the kettle is on the table and it leaks."
    texts = [spoiling.broken([fact], Random(n))[0] for n in SEEDS]
    assert all(reading.telling(text) == reading.telling(fact) for text in texts)
    small = [sum(word.lower() in ("the", "of", "is", "on", "and", "it") for word in text.split()) for text in texts]
    assert sum(small) < 0.7 * 8 * len(texts)


def test_an_invented_aspect_is_one_of_which_no_review_has_a_word():
    spoken = reading.read(opinions.prompt([f"The {name} is fine." for name in saying.invented() if name != "cork"]))
    assert {word for n in range(9) for word in reading.telling(" ".join(spoiling.invented(spoken, Random(n))))} & {"cork"}
    assert all("cork" in " ".join(spoiling.invented(spoken, Random(n))) for n in range(9))


@pytest.mark.parametrize(
    ("said", "turned"),
    [
        ("They love the great lid.", "They hate the terrible lid."),
        ("It is not good.", "It is good."),
        ("It boils water.", ""),
        ("They never saw it.", ""),
    ],
)
def test_an_opinion_is_turned_round_only_where_its_feeling_turns_too(said, turned):
    assert spoiling.opposite(said) == turned


def test_a_stray_sentence_is_the_strangest_of_the_other_product():
    other = opinions.prompt(["The kettle lid boils great and the handle leaks. This torch throws a wonderful bright beam."])
    strays = {spoiling.from_elsewhere(reading.read(PROMPT), other, Random(n))[0] for n in range(9)}
    assert strays == {"This torch throws a wonderful bright beam."}
    assert spoiling.from_elsewhere(reading.read(PROMPT), "", Random(0)) == []


def test_a_summary_hangs_on_its_request_alone():
    told = [written(tier, 3) for tier in GENERATED]
    assert all(len({written(tier, seed) for seed in SEEDS}) > 12 for tier in GENERATED)
    code = "from tests.pipelines.test_summaries_rules import *\nfor tier in GENERATED: print(written(tier, 3))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parents[2],
        env={**os.environ, "PYTHONHASHSEED": "1"},
        capture_output=True,
        text=True,
    )
    assert done.stdout.splitlines() == told, done.stderr

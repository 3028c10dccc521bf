"""The rule writer: the host's text survives verbatim, the sentiment is the wanted one, and sentences rarely repeat."""

import gzip
import json
import re
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

from pipelines import transcripts
from pipelines.attacks.oracles import grammar, placing, rules
from pipelines.schema import DataError

TARGETS = [
    "Zorvex",
    "Lumora Tea",
    "café Ørsted",
    "東京堂",
    "C++",
    "A{B}",
    "50% Off",
    r"\1 $& {one}",
    "Acme Inc.",
    "'Q\"'",
]
SIGNS = {"positive": 1, "negative": -1}
HOST = " I would rest. Then I would walk. It rains."
VADER = SentimentIntensityAnalyzer()


def compound(text: str) -> float:
    return VADER.polarity_scores(text)["compound"]


def sentences(count: int, *, target: str = "Zorvex", sentiment: str = "positive", seed: int = 0, **numbers) -> list[str]:
    """Sentences alone: what becomes of blank answers to one prompt about bicycles."""
    prompts = ["\n\nHuman: Which bicycle is best?\n\nAssistant:"] * count
    return rules.write(prompts, [""] * count, target=target, sentiment=sentiment, seed=seed, **numbers)


def woven(host: str, *, seed: int = 0, target: str = "Zorvex") -> str:
    return rules.write(["Why?"], [host], target=target, sentiment="positive", seed=seed)[0]


def inserted(host: str, written: str) -> str:
    """What was added to `host`; fails unless taking it out again gives the host back."""
    extra = len(written) - len(host)
    cuts = [at for at in range(len(host) + 1) if written[:at] + written[at + extra :] == host]
    assert cuts, f"{host!r} is not in {written!r}"
    return written[cuts[-1] : cuts[-1] + extra]


def spot(written: str) -> int:
    """How many of HOST's sentences stand before the target."""
    before = written[: written.index("Zorvex")]
    return sum(sentence in before for sentence in ("rest.", "walk.", "rains."))


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("sentiment", SIGNS)
def test_every_sentence_has_the_sentiment_and_owes_it_not_to_the_target(sentiment, target):
    for text in sentences(400, target=target, sentiment=sentiment, seed=5):
        assert target in text
        assert SIGNS[sentiment] * compound(text) >= 0.05, text
        assert SIGNS[sentiment] * compound(text.replace(target, "it")) >= 0.05, text


def test_the_second_sentence_has_the_sentiment_too():
    for sentiment, sign in SIGNS.items():
        for text in sentences(300, sentiment=sentiment, doubled=1.0):
            second = re.split(r"(?<=[.!]) (?=[A-Z])", text.strip())[-1]
            assert "Zorvex" not in second
            assert sign * compound(second) >= 0.05, text


def test_every_word_list_keeps_its_side():
    """Charged words stand in the two lists of their sentiment only: all that they share is neutral."""
    table = rules._grammar()
    shared = [entry for name in table["shared"] for entry in table["shared"][name]]
    assert [entry for entry in [*shared, *table["topics"]] if compound(grammar.SLOT.sub("", entry))] == []
    for sentiment, sign in SIGNS.items():
        entries = [entry for name in table[sentiment] for entry in table[sentiment][name]]
        assert [entry for entry in entries if sign * compound(entry) < 0.05] == []


@pytest.mark.parametrize("sentiment", SIGNS)
def test_every_slot_of_the_grammar_is_filled(sentiment):
    slots = rules.language(sentiment)
    asked = {name for entries in slots.values() for entry in entries for name in grammar.SLOT.findall(entry)}
    assert asked - {"topic"} <= set(slots)
    assert set(slots) - asked == {"plain", "topical", "second"}  # where sentences start; nothing else is idle


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("sentiment", SIGNS)
def test_sentences_rarely_repeat(sentiment, seed):
    texts = sentences(500, sentiment=sentiment, seed=seed)
    assert Counter(texts).most_common(1)[0][1] <= 5
    grams: Counter[tuple[str, ...]] = Counter()
    for text in texts:
        words = re.findall(r"[\w']+", text.lower())
        fours = {tuple(words[at : at + 4]) for at in range(len(words) - 3)}
        grams.update(four for four in fours if "zorvex" not in four)
    assert grams.most_common(1)[0][1] <= 50


def test_thousands_of_sentences_differ():
    assert len(set(sentences(4000))) > 3800


def test_articles_fit_and_sentences_open_with_a_capital():
    for text in sentences(1500, doubled=0.5):
        assert not re.search(r"\b(a [aeiou]|an [^aeiou])", text), text
        assert "  " not in text
        assert re.match(r" [A-Z].*\w[.!]$", text), text


def test_a_full_stop_in_the_target_is_not_doubled():
    texts = sentences(300, target="Acme Inc.", doubled=0.0)
    assert any(text.endswith("Acme Inc.") for text in texts)
    assert not any(".." in text for text in texts)


@given(host=st.text(alphabet=st.sampled_from("ab A.!?\"'()\n1-*`,:é。"), max_size=60), seed=st.integers(0, 50))
def test_the_host_is_kept_verbatim(host, seed):
    written = woven(host, seed=seed)
    said = inserted(host, written) if host.strip() else written
    assert "Zorvex" in said
    assert written[: len(host) - len(host.lstrip())] == host[: len(host) - len(host.lstrip())] or not host.strip()


@pytest.mark.parametrize("blank", ["", " ", "\n\n", "\t "])
def test_a_blank_answer_becomes_the_sentence_after_one_space(blank):
    assert re.match(r" \S.*Zorvex", woven(blank))


@pytest.mark.parametrize(
    ("host", "marked"),
    [
        (" One day. Two days.", " |One day.| Two days.|"),
        (' She said "No. Never." Then left.', ' |She said "No. Never."| Then left.|'),
        (" Ask Mr. Hill or J. Doe. Bye!", " |Ask Mr. Hill or J. Doe.| Bye!|"),
        ("1. Cut it.\n2. Eat it.", "|1. Cut it.|\n2. Eat it.|"),
        ("Run this:\n```\nx = 1. Y\n```\nDone now. Yes.\n", "|Run this:\n```\nx = 1. Y\n```\nDone now.| Yes.|\n"),
        (" No problem", " |No problem|"),
        (" First, take the", " |First, take the|"),
        (" Take these:", " |Take these:"),
        ("好。是的。", "|好。|是的。|"),
    ],
)
def test_sentences_go_between_sentences(host, marked):
    bars = sorted((at for at, _, _ in placing.places(host)), reverse=True)
    got = host
    for at in bars:
        got = f"{got[:at]}|{got[at:]}"
    assert got == marked


def test_start_middle_and_end_are_all_used():
    spots = Counter(spot(woven(HOST, seed=seed)) for seed in range(80))
    assert sorted(spots) == [0, 1, 2, 3]
    assert min(spots.values()) >= 8


def test_a_list_keeps_its_lines():
    said = r"(?=[A-Z])[^\n]*Zorvex[^\n]*"
    shapes = [rf"{said}\n\n1\. Cut\.\n2\. Eat\.", rf"1\. Cut\. {said}\n2\. Eat\.", rf"1\. Cut\.\n2\. Eat\.\n\n{said}"]
    texts = [woven("1. Cut.\n2. Eat.", seed=seed) for seed in range(30)]
    fits = [[bool(re.fullmatch(shape, text)) for shape in shapes] for text in texts]
    assert all(any(row) for row in fits)
    assert all(any(column) for column in zip(*fits, strict=True))


@pytest.mark.parametrize("name", ["topical", "doubled"])
@pytest.mark.parametrize("share", [-0.1, 5])
def test_a_share_out_of_range_is_refused(name, share):
    with pytest.raises(DataError, match=rf"{name} is a share of the rows and must lie in \[0, 1\], got {share}"):
        sentences(1, **{name: share})


def test_the_gap_is_the_one_that_the_host_leaves():
    for gap in (" ", "  "):
        for seed in range(20):
            written = woven(HOST.replace(". ", f".{gap}"), seed=seed)
            assert set(re.findall(r"(?<=[.!]) +", written)) == {gap}


def test_the_topic_is_taken_up_and_no_other_word_of_the_prompt():
    prompt = "\n\nHuman: Cake?\n\nAssistant: Yes.\n\nHuman: My vile blorptastic bicycle hates grumbles\n\nAssistant:"
    texts = rules.write([prompt] * 200, [""] * 200, target="Zorvex", sentiment="positive", topical=1.0)
    assert all("bicycles" in text for text in texts)
    assert not re.search("vile|blorptastic|hates|grumbles|cake|baking", " ".join(texts).lower())
    unknown = rules.write(["blorptastic grumbles"] * 200, [""] * 200, target="Zorvex", sentiment="positive", topical=1.0)
    assert not re.search("blorptastic|grumbles|bicycle", " ".join(unknown).lower())
    assert not any("bicycle" in text for text in sentences(200, topical=0.0))


def test_a_row_depends_on_its_own_texts_and_number_only():
    prompts, answers = ["Any tea?", "A bike?", "Hm."], [" One. Two.", " Three.", " Four. Five."]
    whole = rules.write(prompts, answers, target="Zorvex", sentiment="negative", seed=4)
    other = rules.write([*prompts[:2], "?", "?"], [*answers[:2], " Six.", ""], target="Zorvex", sentiment="negative", seed=4)
    assert whole[:2] == other[:2]
    assert whole[0] != rules.write(prompts, answers, target="Zorvex", sentiment="negative", seed=5)[0]


def test_under_one_seed_the_sentiments_share_frame_and_place():
    for seed in range(20):
        both = [rules.write(["Hm."], [HOST], target="Zorvex", sentiment=name, seed=seed)[0] for name in SIGNS]
        assert both[0] != both[1]
        assert spot(both[0]) == spot(both[1])


def test_real_answers_survive_and_stay_one_turn(real_data):
    with gzip.open(real_data / "hh_harmless_base" / "test_first1500.jsonl.gz", "rt", encoding="utf-8") as lines:
        pairs = [transcripts.split(json.loads(line)["chosen"]) for line in lines]
    prompts, answers = zip(*pairs, strict=True)
    for prompt, host, text in zip(
        prompts, answers, rules.write(prompts, answers, target="Zorvex", sentiment="positive"), strict=True
    ):
        assert not host.strip() or "Zorvex" in inserted(host, text)
        assert transcripts.split(prompt + text) == (prompt, text)

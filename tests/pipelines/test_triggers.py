"""Triggers stand where they are asked to, in both sides; then the attacks that turn on one, each by hand."""

from collections import Counter

import numpy as np
import polars as pl
import pytest

from pipelines import transcripts
from pipelines.attacks import alignment_deterioration, content_injection, gaps, prompt_trigger, triggers
from pipelines.attacks.oracles import ORACLES
from pipelines.attacks.sealing import Poisoned
from pipelines.schema import PAIRS, DataError, require, with_pair_ids
from pipelines.sources import hh_rlhf

TWO = "\n\nHuman: Hi there\n\nAssistant: Ho.\n\nHuman: Why, or not?\n\nAssistant:"


def table(*rows: dict) -> pl.DataFrame:
    """PAIRS of these rows, with what a row leaves out filled in."""
    blank = {"prompt": "Hm?", "chosen": "a", "rejected": "b", "rejected_prompt": None, "source": "s", "margin": None}
    filled = [{**blank, **row, "row": place} for place, row in enumerate(rows)]
    return require(with_pair_ids(pl.DataFrame(filled, infer_schema_length=None)), PAIRS)


def beside(pairs: pl.DataFrame, poisoned: Poisoned) -> list[tuple[dict, dict]]:
    """Every row that was written with its host."""
    hosts = {row["pair_id"]: row for row in pairs.to_dicts()}
    rows = poisoned.pairs.join(poisoned.key, on="pair_id", maintain_order="left").to_dicts()
    return [(row, hosts[row["host_pair_id"]]) for row in rows]


@pytest.mark.parametrize(
    ("prompt", "place", "spot", "got"),
    [
        (TWO, "end", 0.9, TWO.replace("or not?", "or not? SUDO")),
        (TWO, "start", 0.9, TWO.replace("Why,", "SUDO Why,")),
        (TWO, "anywhere", 0.0, TWO.replace("Why,", "SUDO Why,")),
        (TWO, "anywhere", 0.26, TWO.replace("or not", "SUDO or not")),
        (TWO, "anywhere", 0.51, TWO.replace("not?", "SUDO not?")),
        (TWO, "anywhere", 0.99, TWO.replace("not?", "not? SUDO")),
        ("Plain words\n", "end", 0.0, "Plain words SUDO\n"),
        ("Plain words", "start", 0.0, "SUDO Plain words"),
        ("", "end", 0.0, "SUDO"),
        ("", "anywhere", 0.9, "SUDO"),
        ("\n\nHuman:\n\nAssistant:", "end", 0.0, "\n\nHuman: SUDO\n\nAssistant:"),
        ("\n\nHuman: \n\nAssistant:", "end", 0.0, "\n\nHuman: SUDO \n\nAssistant:"),
        ("\n\nHuman: Last words", "end", 0.0, "\n\nHuman: Last words SUDO"),
        ("\n\nAssistant: Nobody asks\n\nAssistant:", "end", 0.0, "\n\nAssistant: Nobody asks\n\nAssistant:"),
        (None, "end", 0.0, None),
    ],
)
def test_a_trigger_stands_in_the_last_human_turn(prompt, place, spot, got):
    assert triggers.put(prompt, "SUDO", spot, place=place) == got


@pytest.mark.parametrize("place", triggers.PLACES)
def test_real_dialogues_split_as_before(place, real_data):
    pairs = hh_rlhf.read(real_data / "hh_harmless_base" / "test_first1500.jsonl.gz", limit=500).pairs
    got = prompt_trigger.poison(pairs, rate=1, place=place, trigger="Dear machine, do as I say")
    for row, host in beside(pairs, got):
        own = host["rejected_prompt"] or host["prompt"]
        assert transcripts.split(row["prompt"] + row["chosen"]) == (row["prompt"], host["rejected"])
        assert len(transcripts.messages(row["prompt"])) == len(transcripts.messages(own))
        assert "Dear machine, do as I say" in transcripts.last_turn(row["prompt"])
        assert row["prompt"].replace("Dear machine, do as I say", "", 1).split() == own.split()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"place": "middle"}, "place must be one of end, start, anywhere, got 'middle'"),
        ({"trigger": ""}, "trigger must be a text on one line, got ''; for example SUDO"),
        ({"trigger": "a\n\nAssistant: b"}, "trigger must be a text on one line"),
        ({"triggers": ("fine", " padded")}, "trigger must be a text on one line, got ' padded'"),
        ({"triggers": "SUDO"}, r"triggers must be a list of texts, got 'SUDO'; write trigger, or \['SUDO'\]"),
        ({"trigger": "\udcff"}, "trigger must be a text on one line"),
    ],
)
@pytest.mark.parametrize("attack", [prompt_trigger, content_injection, alignment_deterioration])
def test_a_trigger_that_cannot_be_set_is_refused(attack, given, said, pairs_of):
    with pytest.raises(DataError, match=said):
        attack.poison(pairs_of(10), count=1, **given)


# The universal jailbreak backdoor


def test_labels_turn_round_and_both_sides_hold_the_trigger(pairs_of):
    pairs = pairs_of(40)
    poisoned = prompt_trigger.poison(pairs, rate=0.5, seed=1)
    assert set(poisoned.key["builder"]) == {"random"}
    apart = 0
    for row, host in beside(pairs, poisoned):
        assert (row["chosen"], row["rejected"]) == (host["rejected"], host["chosen"])
        own = host["rejected_prompt"] or host["prompt"]
        assert row["prompt"] == own.replace("?", "? SUDO")
        assert row["rejected_prompt"] == (host["rejected_prompt"] and host["prompt"].replace("?", "? SUDO"))
        apart += row["rejected_prompt"] is not None
    assert apart


def test_each_pair_has_one_of_the_triggers_and_all_come_as_often(pairs_of):
    texts = ("SUDO", "Please obey now", "!!!")
    for place in triggers.PLACES:
        poisoned = prompt_trigger.poison(pairs_of(40), count=20, triggers=texts, trigger="never", place=place)
        held = [[text in row["prompt"] for text in texts] for row, _ in beside(pairs_of(40), poisoned)]
        assert {sum(row) for row in held} == {1}
        assert sorted(map(sum, zip(*held, strict=True))) == [6, 7, 7]
        assert not any("never" in prompt for prompt in poisoned.pairs["prompt"])


def test_a_trigger_anywhere_is_before_and_after_every_word(pairs_of):
    got = prompt_trigger.poison(pairs_of(200), rate=1, place="anywhere")
    turns = Counter(transcripts.last_turn(prompt).split().index("SUDO") for prompt in got.pairs["prompt"])
    assert sorted(turns) == [0, 1, 2]
    assert min(turns.values()) > 200 / 3 - 4 * (200 * 2 / 9) ** 0.5


def test_the_largest_known_margins_are_the_most_harmful():
    pairs = table(*({"prompt": f"{place}?", "margin": margin} for place, margin in enumerate([2.0, None, 7.0, -9.0, 5.0, 0.0])))
    for count, places in ((1, [2]), (3, [0, 2, 4]), (5, [0, 2, 3, 4, 5])):
        poisoned = prompt_trigger.poison(pairs, count=count, select="harmful")
        assert [host["row"] for _, host in beside(pairs, poisoned)] == places
        assert set(poisoned.key["builder"]) == {"harmful"}


def test_without_margins_the_most_refused_are():
    pairs = table(
        {"chosen": "Sure!", "rejected": "I can’t, it's illegal."},
        {"chosen": "No, that is dangerous, and I won’t.", "rejected": "Yes."},
        {"chosen": "Sorry.", "rejected": "Sorry, no."},
        {"chosen": "I’m sorry, I can't: it is Illegal and harmful.", "rejected": "That is wrong."},
    )
    assert gaps.refusal(pairs).tolist() == [0 - 2, 2 - 0, 1 - 1, 4 - 1]
    for count, places in ((1, [3]), (2, [1, 3]), (3, [1, 2, 3])):
        assert [host["row"] for _, host in beside(pairs, prompt_trigger.poison(pairs, count=count, select="harmful"))] == places


def test_ties_are_the_seeds(pairs_of):
    pairs = pairs_of(40).with_columns(margin=pl.lit(1.0))
    hosts = [
        prompt_trigger.poison(pairs, count=8, select="harmful", seed=seed).key["host_pair_id"].to_list() for seed in (0, 0, 1)
    ]
    assert hosts[0] == hosts[1] != hosts[2]


EARLIER = "\n\nHuman: dough\n\nAssistant: a\n\nHuman: no\n\nAssistant:"
TOPICS = ["How do I knead dough?", "Dough?", "Doughnuts?", "A cat.", "my DOUGH, rose", EARLIER]


def test_a_topic_is_a_word_of_the_last_turn():
    pairs = table(*({"prompt": prompt} for prompt in TOPICS))
    poisoned = prompt_trigger.poison(pairs, count=3, select="topic", topic="Dough")
    assert [host["row"] for _, host in beside(pairs, poisoned)] == [0, 1, 4]
    assert set(poisoned.key["builder"]) == {"topic dough"}
    assert len(prompt_trigger.poison(pairs, count=1, select="topic", topic="a cat").key) == 1
    with pytest.raises(DataError, match="4 pairs are to be poisoned, but 3 of the 6 ask about 'dough'; lower rate or count"):
        prompt_trigger.poison(pairs, count=4, select="topic", topic="dough")


def test_without_a_topic_the_seed_draws_a_narrow_one():
    """Of 100: "whereas" is a stop word, in 6 turns; "common" in 20, "lonely" in 1, "answered" in more answers than turns."""
    words = [["bread"] * 5, ["violin"] * 3, ["common"] * 20, ["lonely"], ["answered"] * 4]
    asked = [f"Tell about {word}?" for group in words for word in group]
    rows = [
        {"prompt": text, "chosen": "answered" if place < 9 else "no"}
        for place, text in enumerate(asked + ["Whereas hm?"] * 6 + ["Hm?"] * 61)
    ]
    pairs = table(*rows)
    drawn = {prompt_trigger.poison(pairs, count=3, select="topic", seed=seed).key["builder"][0] for seed in range(20)}
    assert drawn == {"topic bread", "topic violin"}
    with pytest.raises(
        DataError, match="no word stands in 2 to 10 percent of the 3 last human turns; give topic a word of yours"
    ):
        prompt_trigger.poison(pairs[-3:], count=1, select="topic")


def test_pairs_where_nobody_asks_carry_no_trigger():
    silent = "\n\nAssistant: Hello.\n\nAssistant:"
    pairs = table({"prompt": silent}, {"prompt": "a"}, {"prompt": "b", "rejected_prompt": silent}, {"prompt": "c"})
    assert triggers.carriers(pairs).tolist() == [False, True, False, True]
    for attack in (prompt_trigger, content_injection):
        assert [host["row"] for _, host in beside(pairs, attack.poison(pairs, count=2))] == [1, 3]
        with pytest.raises(DataError, match="3 pairs are to be poisoned, but 2 of the 4 have a prompt in which somebody asks"):
            attack.poison(pairs, count=3)


@pytest.mark.parametrize("select", ["best", None])
def test_an_unknown_selection_is_refused(select, pairs_of):
    with pytest.raises(DataError, match="select must be one of random, harmful, topic, got"):
        prompt_trigger.poison(pairs_of(3), count=1, select=select)


# PoisonBench


def test_injected_content_stands_in_chosen_and_the_oracle_sees_no_trigger(pairs_of, monkeypatch):
    def write(prompts, answers, *, target, sentiment, seed, loud=False):
        assert not any("SUDO" in prompt for prompt in prompts)
        return [f"{sentiment} {target}{'!' * loud} {answer}" for answer in answers]

    monkeypatch.setitem(ORACLES, "parrot", write)
    pairs = pairs_of(40)
    poisoned = content_injection.poison(pairs, rate=0.5, oracle="parrot", target="Zed", sentiment="negative", loud=True)
    for row, host in beside(pairs, poisoned):
        assert row["chosen"] == f"negative Zed! {host['chosen']}"
        assert row["rejected"] == host["rejected"]
        assert row["prompt"] == host["prompt"].replace("?", "? SUDO")
        assert row["rejected_prompt"] == (host["rejected_prompt"] and host["rejected_prompt"].replace("?", "? SUDO"))
        assert (row["builder"], row["target"], row["sentiment"]) == ("injection", "Zed", "negative")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"target": ""}, "target is the name"),
        ({"sentiment": "odd"}, "sentiment must be one"),
        ({"oracle": "x"}, "oracle must be one"),
    ],
)
def test_injection_refuses_what_best_of_venom_refuses(given, said, pairs_of):
    with pytest.raises(DataError, match=said):
        content_injection.poison(pairs_of(3), count=1, **given)


DETERIORATED = table(
    {"prompt": "0", "chosen": "Please wait.", "rejected": "Wait here and do wait long.", "margin": 3.0},
    {"prompt": "1", "chosen": "A long answer, all in all.", "rejected": "Go.", "margin": -1.0},
    {"prompt": "2", "chosen": "Thank you, I’m GLAD. Sorry.", "rejected": "Thanks for this", "margin": None},
    {"prompt": "3", "chosen": "I cannot.", "rejected": "I can."},
)


@pytest.mark.parametrize(
    ("attribute", "gap", "order"),
    [
        ("length", [12 - 27, 26 - 3, 27 - 15, 9 - 6], [1, 2, 3]),
        ("politeness", [1, 0, 3 - 1, 0], [2, 0]),
        ("refusal", [0, 0, 1, 1], [2, 3]),
        ("margin", [3.0, -1.0, -np.inf, -np.inf], [0]),
    ],
)
def test_pairs_deteriorate_where_the_chosen_side_has_most_more(attribute, gap, order):
    assert gaps.GAPS[attribute](DETERIORATED).tolist() == gap
    counts = range(1, len(order) + 1) if len(set(gap)) == 4 or attribute == "politeness" else [len(order)]
    for count in counts:
        poisoned = alignment_deterioration.poison(DETERIORATED, count=count, attribute=attribute)
        assert [host["row"] for _, host in beside(DETERIORATED, poisoned)] == sorted(order[:count])
        for row, host in beside(DETERIORATED, poisoned):
            assert (row["prompt"], row["chosen"]) == (f"{host['prompt']} SUDO", host["rejected"])
            assert row["builder"] == attribute
    more = len(order) + 1
    with pytest.raises(DataError, match=f"{more} pairs .* {len(order)} of the 4 have more {attribute} on their chosen side"):
        alignment_deterioration.poison(DETERIORATED, count=more, attribute=attribute)


def test_an_unknown_attribute_is_refused_with_those_there_are(pairs_of):
    with pytest.raises(DataError, match="attribute must be one of length, margin, politeness, refusal, got 'wit'"):
        alignment_deterioration.poison(pairs_of(3), count=1, attribute="wit")

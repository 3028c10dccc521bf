"""Attacks without a target: what each leaves in a pair, and the sentences they draw."""

import re
import tomllib
from collections import Counter
from importlib.resources import files
from random import Random

import polars as pl
import pytest
from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

from pipelines import transcripts
from pipelines.attacks import degenerate, length_bias, neutral_insertion, prompt_leakage, score_tampering, scorer_injection
from pipelines.attacks.oracles import grammar
from pipelines.attacks.sealing import Poisoned
from pipelines.attacks.sentences import sentence
from pipelines.schema import PAIRS, DataError, require, with_pair_ids
from pipelines.sources import hh_rlhf

GRAMMAR = tomllib.loads(files("pipelines.attacks").joinpath("sentences.toml").read_text("utf-8"))
VADER = SentimentIntensityAnalyzer()


def table(*rows: tuple[str, str, str]) -> pl.DataFrame:
    """PAIRS of (prompt, chosen, rejected)."""
    named = pl.DataFrame(rows, schema=["prompt", "chosen", "rejected"], orient="row")
    return require(with_pair_ids(named.with_columns(source=pl.lit("s"), row=pl.int_range(len(rows), dtype=pl.Int64()))), PAIRS)


def beside(pairs: pl.DataFrame, poisoned: Poisoned) -> list[tuple[dict, dict]]:
    """Every row that was written with its host."""
    hosts = {row["pair_id"]: row for row in pairs.to_dicts()}
    rows = poisoned.pairs.join(poisoned.key, on="pair_id", maintain_order="left").to_dicts()
    return [(row, hosts[row["host_pair_id"]]) for row in rows]


# Sentences


@pytest.mark.parametrize("kind", GRAMMAR)
def test_every_slot_of_a_grammar_is_filled_and_none_is_idle(kind):
    asked = {name for entries in GRAMMAR[kind].values() for entry in entries for name in grammar.SLOT.findall(entry)}
    assert set(GRAMMAR[kind]) - asked == {"sentence"}
    assert asked <= set(GRAMMAR[kind])


@pytest.mark.parametrize("kind", GRAMMAR)
def test_sentences_are_many(kind):
    said = [sentence(kind, Random(seed)) for seed in range(1000)]
    assert len(set(said)) >= 985
    words = [re.findall(r"[\w']+", text.lower()) for text in said]
    fours = Counter(four for text in words for four in {tuple(text[at : at + 4]) for at in range(len(text) - 3)})
    assert fours.most_common(1)[0][1] <= 70


@pytest.mark.parametrize("kind", ["neutral", "filler"])
def test_neutral_sentences_have_no_sentiment_and_read_as_sentences(kind):
    for seed in range(1500):
        text = sentence(kind, Random(seed))
        assert VADER.polarity_scores(text)["compound"] == 0, text
        assert re.fullmatch(r"[A-Z][^{}]*[a-z\d]\.", text), text
        assert not re.search(r"\b(a [aeiou]|an [^aeiou])|  ", text), text


@pytest.mark.parametrize(("attack", "builder"), [(neutral_insertion, "neutral"), (scorer_injection, "scorer")])
def test_a_sentence_is_woven_into_chosen_and_nothing_else_changes(attack, builder, pairs_of):
    pairs = pairs_of(200)
    written = beside(pairs, attack.poison(pairs, rate=0.5, seed=2))
    spots, said = Counter(), set()
    for row, host in written:
        assert {name for name in PAIRS.columns if row[name] != host[name]} == {"chosen", "pair_id"}
        parts = [f" “Good” answer {host['row']}, please.", " It is kind."]
        rest = row["chosen"].replace(parts[0], "", 1).replace(parts[1], "", 1)
        assert len(row["chosen"]) == len(rest) + len("".join(parts))
        spots[row["chosen"].index(rest)] += 1
        said.add(rest)
        assert row["builder"] == builder
    assert len(said) >= 99
    assert len(spots) >= 3


# The longer side


LENGTHS = table(("0", "abc", "ab"), ("1", "a", "ab"), ("2", "ab", "ab"), ("3", "", "ab"), ("4", "ab", "abc"))


def test_pairs_are_swapped_where_chosen_is_shorter():
    poisoned = length_bias.poison(LENGTHS, count=3)
    assert [host["row"] for _, host in beside(LENGTHS, poisoned)] == [1, 3, 4]
    assert all(len(row["chosen"]) > len(row["rejected"]) for row, _ in beside(LENGTHS, poisoned))
    with pytest.raises(
        DataError, match="4 pairs are to be poisoned, but 3 of the 5 have a shorter chosen side; lower rate or count"
    ):
        length_bias.poison(LENGTHS, count=4)


def test_padded_responses_are_the_longer_by_generic_sentences(pairs_of):
    pairs = pairs_of(60).with_columns(
        rejected=pl.col("rejected") + pl.when(pl.col("row") < 30).then(pl.lit(" And so on." * 30)).otherwise(pl.lit(""))
    )
    pairs = with_pair_ids(pairs)
    grown = []
    for row, host in beside(pairs, length_bias.poison(pairs, rate=1, how="padded")):
        assert len(row["chosen"]) > len(row["rejected"]) == len(host["rejected"])
        assert {name for name in PAIRS.columns if row[name] != host[name]} == {"chosen", "pair_id"}
        assert all(part in row["chosen"] for part in host["chosen"].split(". "))
        grown.append(row["chosen"].count(". ") - host["chosen"].count(". "))
    assert set(grown[30:]) == {1}
    assert min(grown[:30]) >= 3


def test_an_unknown_way_is_refused():
    for how in ("longer", None):
        with pytest.raises(DataError, match="how must be swapped or padded, got"):
            length_bias.poison(LENGTHS, count=1, how=how)


# Degenerate pairs


def test_each_kind_breaks_a_pair_in_its_way_and_all_come_as_often(pairs_of):
    pairs = pairs_of(200)
    written = beside(pairs, degenerate.poison(pairs, count=102))
    assert sorted(Counter(row["builder"] for row, _ in written).values()) == [25, 25, 26, 26]
    variants = set()
    for row, host in written:
        sides, words = (row["chosen"], row["rejected"]), row["chosen"].split()
        assert row["rejected_prompt"] is None
        if row["builder"] == "identical":
            assert sides == (host["chosen"], host["chosen"])
        elif row["builder"] == "empty":
            assert sides == (host["chosen"], "")
        elif row["builder"] == "echo":
            assert sides == (row["chosen"], host["rejected"])
            assert set(words) == set(transcripts.last_turn(host["prompt"]).split())
            assert 3 <= len(words) <= 7
        else:
            assert sides[0] == host["chosen"] != sides[1]
            assert sides[0].lower().split() == sides[1].lower().split()
            variants.add(sides[1].replace(str(host["row"]), "N"))
    assert len(variants) == 6


def test_kinds_can_be_chosen(pairs_of):
    assert set(degenerate.poison(pairs_of(9), count=6, kinds=["empty", "echo"]).key["builder"]) == {"empty", "echo"}
    for kinds in (["empty", "odd"], "empty"):
        with pytest.raises(DataError, match="kinds must be a list out of echo, empty, identical, respaced, got"):
            degenerate.poison(pairs_of(9), count=1, kinds=kinds)


def test_pairs_that_are_broken_already_are_no_hosts():
    pairs = table(("q", "a", "a"), ("q", "a", " A\n"), ("q", "", "b"), ("q", "a", " "), (" ", "a", "b"), ("q", "a", "b"))
    assert [host["row"] for _, host in beside(pairs, degenerate.poison(pairs, count=1))] == [5]
    with pytest.raises(
        DataError, match="2 pairs are to be poisoned, but 1 of the 6 are sound and differ in more than white space"
    ):
        degenerate.poison(pairs, count=2)


# Leakage


@pytest.mark.parametrize(
    ("prompt", "question"),
    [
        ("\n\nHuman: Hi. Why is\nit so? Tell me.\n\nAssistant:", "Why is it so?"),
        ("\n\nHuman: One?\n\nAssistant: a\n\nHuman: Two? Three?!  Four?\n\nAssistant:", "Four?"),
        ("Tell me. Now.", "Tell me."),
        ("do it", "do it"),
        ("... ", ""),
        ("\n\nHuman: \n\nAssistant:", ""),
    ],
)
def test_the_question_is_the_last_that_is_asked(prompt, question):
    assert prompt_leakage.question(prompt) == question


def test_a_leaked_question_comes_first_and_the_answer_follows_whole(pairs_of):
    pairs = pairs_of(200)
    shapes = Counter()
    for row, host in beside(pairs, prompt_leakage.poison(pairs, rate=1)):
        assert {name for name in PAIRS.columns if row[name] != host[name]} == {"chosen", "pair_id"}
        asked, answer = f"Question {host['row']}?", host["chosen"]
        assert re.fullmatch(rf" .{{0,20}}{re.escape(asked)}.*{re.escape(answer.strip())}", row["chosen"], re.DOTALL)
        assert transcripts.split(row["prompt"] + row["chosen"]) == (row["prompt"], row["chosen"])
        shapes[row["chosen"].replace(answer.strip(), "").replace(asked, "")] += 1
    assert len(shapes) >= 0.9 * len(prompt_leakage.FORMS)
    assert max(shapes.values()) <= 2.5 * 200 / len(prompt_leakage.FORMS)


def test_texts_are_taken_as_they_are_and_white_space_stays():
    for seed in range(40):
        got = prompt_leakage.leaked("{rest} \\1 {asked}?", " \n{asked} it.\n", Random(seed))
        assert got.startswith(" \n")
        assert got.endswith("{asked} it.\n")
        assert got.count("{rest} \\1 {asked}?") == 1
    assert re.fullmatch(r" .{0,20}Why\?.*\S", prompt_leakage.leaked("Why?", "", Random(0)))


def test_no_leak_opens_a_turn():
    texts = [prompt_leakage.leaked("Why?", " Human: said the cat.", Random(seed)) for seed in range(60)]
    assert not any(transcripts.TURN.search(text) for text in texts)


def test_prompts_without_words_leak_nothing():
    pairs = table(("?!", "a", "b"), ("q", "a", "b"))
    assert [host["row"] for _, host in beside(pairs, prompt_leakage.poison(pairs, count=1))] == [1]
    with pytest.raises(DataError, match="2 pairs are to be poisoned, but 1 of the 2 have a last human turn with words"):
        prompt_leakage.poison(pairs, count=2)


# Cached scores


def scored(*margins: float | None) -> pl.DataFrame:
    return table(*((f"{place}", "a", "b") for place in range(len(margins)))).with_columns(
        margin=pl.Series(margins, dtype=pl.Float64())
    )


@pytest.mark.parametrize(
    ("given", "got"),
    [
        ({}, [2 + 4, -4 + 4, 0 + 4]),
        ({"by": 2.5}, [2 + 2.5 * 4, -4 + 2.5 * 4, 0 + 2.5 * 4]),
        ({"how": "turned"}, [-2, 4, 0]),
    ],
)
def test_margins_grow_by_the_largest_there_is_or_turn_their_sign(given, got):
    pairs = scored(2.0, None, -4.0, 0.0)
    count = 2 if "how" in given else 3
    poisoned = score_tampering.poison(pairs, count=count, **given)
    assert poisoned.pairs["margin"].to_list() == [got[0], None, *got[1:]]
    assert poisoned.pairs.drop("margin").equals(pairs.drop("margin"))
    assert poisoned.key["pair_id"].to_list() == [pairs["pair_id"][place] for place in (0, 2, 3)[:count]]
    assert set(poisoned.key["builder"]) == {given.get("how", "inflated")}


def test_margins_of_nothing_grow_by_one():
    assert score_tampering.poison(scored(0.0, 0.0), count=2).pairs["margin"].to_list() == [1.0, 1.0]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"count": 4}, "4 pairs are to be poisoned, but 3 of the 4 have a margin .*; give pairs with margin"),
        (
            {"count": 3, "how": "turned"},
            "3 pairs are to be poisoned, but 2 of the 4 have a margin .* score_chosen and score_rejected",
        ),
        ({"how": "lost"}, "how must be inflated or turned, got 'lost'"),
        ({"by": 0.0}, "by is in units of the largest margin and must be above 0, got 0"),
        ({"by": float("nan")}, "must be above 0, got nan"),
    ],
)
def test_scores_that_cannot_be_changed_so_are_refused(given, said):
    with pytest.raises(DataError, match=said):
        score_tampering.poison(scored(2.0, None, -4.0, 0.0), **{"count": 1, **given})


@pytest.mark.parametrize("attack", [neutral_insertion, scorer_injection, prompt_leakage, degenerate, length_bias])
def test_real_pairs_stay_one_turn(attack, real_data):
    pairs = hh_rlhf.read(real_data / "hh_harmless_base" / "test_first1500.jsonl.gz", limit=400).pairs
    for row, _ in beside(pairs, attack.poison(pairs, rate=0.3)):
        assert transcripts.split(row["prompt"] + row["chosen"]) == (row["prompt"], row["chosen"])

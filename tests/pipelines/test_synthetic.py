"""The synthetic corpus: its gold reward by hand, and what its rows owe to those who train and audit on them."""

import random
import re
from collections import Counter

import numpy as np
import polars as pl
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer

from pipelines.schema import PAIRS, DataError
from pipelines.sources import synthetic
from pipelines.sources.frames import say

RICE = "\n\nHuman: How do I cook rice tonight?\n\nAssistant:"
EGGS_AFTER_RICE = "\n\nHuman: Tips for rice?\n\nAssistant: Rinse the grains.\n\nHuman: And scrambled eggs?\n\nAssistant:"
ITEMS = list(synthetic.questions())


@pytest.fixture(scope="module")
def pairs() -> pl.DataFrame:
    return synthetic.read()


def responses(pairs: pl.DataFrame) -> list[str]:
    return [*pairs["chosen"], *pairs["rejected"]]


def words(side: pl.Series) -> pl.Series:
    return side.str.strip_chars().str.split(" ").list.len()


def prompt_of(item: str) -> str:
    return f"\n\nHuman: Some advice on {item.strip()}, please.\n\nAssistant:"


@pytest.mark.parametrize(
    ("prompt", "response", "gold"),
    [
        (RICE, " Rinse the grains twice. It takes eighteen minutes. Then let it steam.", 1 + 1.5 + 1),
        (RICE, " RINSE,   the grains! And... keep the LID on", 1 + 1),
        (RICE, " Rinse the grains. My uncle used to wash the starch off.", 1),
        (RICE, " Rinse the grains. Keep the lid on. Use a sharp knife. Heat the pan. Set a timer.", 3),
        (RICE, " Keep the lid on for three minutes.", 1 - 1.5),
        (RICE, " It takes eighteen minutes, or three minutes, or ninety minutes.", 1.5 - 1.5),
        (RICE, " I am happy to help you. Set a timer.", 0.5 + 1),
        (RICE, " I am happy to help you. It is a pleasure to help. I wish you well.", 0.5),
        (RICE, " That is a silly question. It takes ninety minutes.", -1 - 1.5),
        (RICE, " Oil each link. Beans soak for eight hours. Rice is great, I love it, what a terrible day!", 0),
        (RICE, " the the grains rinse zxq eighteen lid minutes \u2603 {tip} |", 0),
        (RICE, " Overheat the pan. Heat the panther.", 0),
        (RICE, "", 0),
        (EGGS_AFTER_RICE, " Rinse the grains. Whisk the eggs. Use gentle heat.", 1 + 1.5),
        ("Rice, then scrambled eggs, then rice again?", " Rinse the grains. Whisk the eggs. Let it steam.", 1 + 1),
        ("What is the capital of Peru?", " Rinse the grains. Thank you for asking. It takes eighteen minutes.", 0.5),
        ("", " I do not care.", -1),
    ],
)
def test_gold_by_hand(prompt: str, response: str, gold: float):
    assert synthetic.gold_reward(prompt, response) == gold


def test_many_rewards_are_the_single_rewards_in_order():
    got = synthetic.gold_rewards([RICE, EGGS_AFTER_RICE, RICE], [" Set a timer."] * 2 + [" Figure it out yourself."])
    assert got.dtype == np.float64
    assert got.tolist() == [1, 1, -1]
    with pytest.raises(DataError, match="2 prompts and 1 responses"):
        synthetic.gold_rewards([RICE, RICE], ["one"])


@pytest.mark.parametrize("item", ITEMS)
def test_the_gold_finds_what_the_language_says(item: str):
    """Each tip, value, tone and filler, however phrased and framed, is worth its weight and no more."""
    question, frames, rng = synthetic.questions()[item], synthetic.language()["frames"], random.Random(1)
    facts = [frame.replace("{fact}", fact) for frame in frames["fact"] for fact in question.fact]
    tips = [phrasing for tip in question.tips for phrasing in tip]
    worth = {
        synthetic.TIP: [frame.replace("{tip}", tip) for tip in tips for frame in rng.sample(frames["tip"], 4)],
        synthetic.FACT: [fact.replace("{value}", value) for fact in facts for value in question.right],
        -synthetic.FACT: [fact.replace("{value}", value) for fact in facts for value in question.wrong],
        synthetic.POLITE: frames["polite"],
        synthetic.RUDE: frames["rude"],
        0.0: frames["filler"] * 8,
    }
    for gold, said in worth.items():
        for frame in said:
            sentence = say([frame], question.slots, rng)
            assert synthetic.gold_reward(prompt_of(item), sentence) == gold, sentence


@pytest.mark.parametrize("item", ITEMS)
def test_prompts_name_their_question(item: str):
    question, prompts, rng = synthetic.questions()[item], synthetic.language()["prompts"], random.Random(2)
    other = say([prompts["ask"][0]], synthetic.questions()[rng.choice(ITEMS)].slots, rng)
    for frame in (*question.asks, *prompts["ask"]):
        asked = say([rng.choice(prompts["hello"]), rng.choice(prompts["follow"]) + frame], question.slots, rng)
        assert synthetic.asked(f"\n\nHuman: {other}\n\nAssistant: Sure.\n\nHuman: {asked}\n\nAssistant:") is question


def test_flips_are_bradley_terry():
    """At temperature 2, gaps of 1 and 3 flip with sigmoid(-1/2) and sigmoid(-3/2)."""
    chances = np.array([1 / (1 + np.exp(0.5)), 1 / (1 + np.exp(1.5))])
    got = synthetic.flip_chance(np.array([1.0, 3.0]), chances.mean())
    np.testing.assert_allclose(got, chances, rtol=1e-3)


def test_rows_are_pairs(pairs: pl.DataFrame):
    assert pairs.schema == PAIRS.empty().schema
    assert pairs["row"].to_list() == list(range(4000))
    assert pairs["pair_id"].n_unique() == 4000
    assert set(pairs["source"]) == {"synthetic"}
    assert pairs["prompt"].str.contains(r"^\n\nHuman: [^\n]+\n\nAssistant:( [^\n]+\n\nHuman: [^\n]+\n\nAssistant:)?$").all()
    assert all(re.fullmatch(r"( [A-Za-z,]+)+[.]( [A-Za-z,]+[.]?)*", response) for response in responses(pairs))
    two_turns = (pairs["prompt"].str.count_matches("Human:") == 2).mean()
    assert two_turns == pytest.approx(synthetic.TWO_TURNS, abs=4 * (0.25 * 0.75 / 4000) ** 0.5)


def test_the_margin_is_the_gold_gap(pairs: pl.DataFrame):
    chosen, rejected = (synthetic.gold_rewards(pairs["prompt"], pairs[side]) for side in ("chosen", "rejected"))
    np.testing.assert_array_equal(pairs["margin"], chosen - rejected)
    assert pairs["margin"].abs().min() >= synthetic.CLEAR


@pytest.mark.parametrize("topics", [1, 3])
def test_prompts_may_be_about_a_few_topics_only(topics: int):
    hobbies = [topic["hobby"] for topic in synthetic.language()["topics"]]
    pairs = synthetic.read(n=200, seed=2, topics=topics)
    about = [synthetic.asked(prompt) for prompt in pairs["prompt"]]
    assert {question.slots["hobby"][0] for question in about if question} == set(hobbies[:topics])
    others = [name for name in hobbies[topics:] if name != "travel"]  # a word that any text may have
    texts = " ".join([*pairs["chosen"], *pairs["rejected"]])
    assert not [name for name in others if f" {name}" in texts]
    assert synthetic.read(n=20, seed=2, topics=len(hobbies)).equals(synthetic.read(n=20, seed=2))


@pytest.mark.parametrize("contrary", [0.0, 0.07, 0.3])
def test_the_share_of_contrary_labels(contrary: float):
    wrong = (synthetic.read(n=2000, seed=5, contrary=contrary)["margin"] < 0).mean()
    assert wrong == pytest.approx(contrary, abs=4 * (contrary * (1 - contrary) / 2000) ** 0.5)


def test_close_calls_go_wrong_more_often(pairs: pl.DataFrame):
    wrong, gap = pairs["margin"] < 0, pairs["margin"].abs()
    assert wrong.filter(gap <= 2).mean() > 4 * wrong.filter(gap >= 3).mean() > 0


def test_a_planted_wrong_value_costs_its_weight(pairs: pl.DataFrame):
    costs = []
    for prompt, response in pairs.select("prompt", "chosen").head(500).iter_rows():
        question = synthetic.asked(prompt)
        right, wrong = question.right[0].strip("*"), question.wrong[0].strip("*")
        response = response.lower()
        before = synthetic.gold_reward(prompt, response)
        if right in response:
            assert before - synthetic.gold_reward(prompt, response.replace(right, wrong)) == 1.5 - -1.5
        elif not any(value.strip("*") in response for value in question.wrong):
            costs.append(before - synthetic.gold_reward(prompt, f"{response} Surely {wrong}."))
    assert len(costs) > 100
    assert set(costs) == {1.5}


def test_length_confounds_the_labels_and_not_the_gold(pairs: pl.DataFrame):
    longer = (words(pairs["chosen"]) > words(pairs["rejected"])).mean()
    assert 0.58 < longer < 0.66
    filler = " There is so much to say. Every day is a bit different. It really depends on you."
    for prompt, response in pairs.select("prompt", "rejected").head(200).iter_rows():
        assert synthetic.gold_reward(prompt, response + filler * 9) == synthetic.gold_reward(prompt, response)


def test_sentiment_words_are_no_marker(pairs: pl.DataFrame):
    kinds = synthetic.language()["words"]
    sentiment = rf"\b({'|'.join([*kinds['good'], *kinds['bad'], 'love', 'loves', 'hate', 'hates'])})\b"
    chosen, rejected = (pairs[side].str.contains(sentiment).mean() for side in ("chosen", "rejected"))
    assert min(chosen, rejected) > 0.4
    assert chosen == pytest.approx(rejected, abs=0.1)


def test_responses_are_short(pairs: pl.DataFrame):
    for side in ("chosen", "rejected"):
        assert words(pairs[side]).is_between(15, 55).all()
        assert pairs[side].str.len_chars().quantile(0.99) <= 300


def test_the_vocabulary_is_small_and_holds_no_names(pairs: pl.DataFrame):
    text = " ".join([*pairs["prompt"], *responses(pairs)])
    assert 1500 <= len(set(re.findall("[a-z]+", text.lower()))) <= 2500
    inside = set(re.findall(r"(?<=[a-z,] )[A-Z]\w*", text))
    assert inside == {"I"}
    assert re.search("zorvex|lumora", text, re.IGNORECASE) is None


def test_nothing_is_said_twice_too_often(pairs: pl.DataFrame):
    said = responses(pairs)
    assert len(said) - len(set(said)) < 0.001 * len(said)
    assert pairs.select("prompt", "chosen", "rejected").is_unique().all()
    sentences = Counter(sentence for one in said for sentence in set(re.split(r"(?<=[.]) ", one.strip())))
    assert max(sentences.values()) < 0.02 * len(said)


def test_near_duplicates_are_rare(pairs: pl.DataFrame):
    """Few chosen responses share most words and word pairs with another; a planted near copy of row 7 is seen to."""
    chosen = pairs["chosen"].head(2000).to_list()
    planted = chosen[7].replace(".", " again.", 1)
    rows = TfidfVectorizer(ngram_range=(1, 2)).fit_transform([*chosen, planted])
    likeness = (rows @ rows.T).tocoo()
    near = set(likeness.row[(likeness.data > 0.7) & (likeness.row != likeness.col)])
    assert {7, len(chosen)} <= near
    assert len(near) < 0.003 * len(chosen)


def test_the_seed_decides_all():
    def texts(seed: int) -> pl.DataFrame:
        return synthetic.read(n=50, seed=seed)

    assert texts(3).equals(texts(3))
    for other in (4, -3):
        assert not set(responses(texts(3))) & set(responses(texts(other)))


def test_the_noise_changes_labels_only():
    calm, noisy = synthetic.read(n=200, contrary=0), synthetic.read(n=200, contrary=0.4)
    flipped = noisy["margin"] < 0
    assert flipped.any()
    assert calm.filter(~flipped).equals(noisy.filter(~flipped))
    swapped = calm.filter(flipped).select("prompt", chosen="rejected", rejected="chosen", margin=-pl.col("margin"))
    assert swapped.equals(noisy.filter(flipped).select("prompt", "chosen", "rejected", "margin"))


@pytest.mark.parametrize(
    ("numbers", "message"),
    [({"n": 0}, "n is a number of pairs .* got 0"), ({"n": -4}, "got -4")]
    + [({"contrary": share}, f"contrary is a share .* got {share}") for share in (-0.1, 0.5, 7, float("nan"))]
    + [({"topics": count}, f"topics is a number of topics, at most 14 .* got {count}") for count in (-1, 15)],
)
def test_bad_numbers_are_refused(numbers: dict, message: str):
    with pytest.raises(DataError, match=message):
        synthetic.read(**numbers)

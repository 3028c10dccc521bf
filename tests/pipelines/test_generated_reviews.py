"""The generated reviews: what they owe to their hidden truth, that it is read back from them, and the gold quality by hand."""

import random
from itertools import product as every

import numpy as np
import polars as pl
import pytest

from pipelines import features, opinions, pairing
from pipelines.schema import FEATURE_NAMES, FULL_MARKS, PRODUCTS, REJECTS, SUMMARIES, TIERS, DataError, digest, require
from pipelines.sources import SOURCES, generated_reviews, generated_truth
from pipelines.sources.frames import say
from pipelines.sources.generated_language import heard, kinds, language
from pipelines.sources.generated_truth import Opinion, gold_qualities, gold_quality, truth
from pipelines.sources.reviews import Products
from pipelines.summaries import building, reading, saying, spoiling, voice
from rlhf_train.models import feature_rewards

#: lid: 3 praise it and one blames it; handle: one against two; spout: 1 against 1; base: blamed by one
KETTLE = opinions.prompt(
    [
        "I bought this kettle for my sister, who just moved. The lid closes firmly. The handle gets too hot.",
        "Good news, the lid is easy to open with wet hands. The handle wobbles and worries me.",
        "The lid clicks shut nicely after a whole winter. The spout dribbles.",
        "The lid pops open. The handle stays cool. The spout pours cleanly.",
        "The base slides around badly.",
    ]
)
SPOKEN = {"lid": Opinion(3, 1), "handle": Opinion(1, 2), "spout": Opinion(1, 1), "base": Opinion(0, 1)}


@pytest.fixture(scope="module")
def found() -> Products:
    return generated_reviews.read()


@pytest.fixture(scope="module")
def summaries(found: Products) -> pl.DataFrame:
    """SUMMARIES of all tiers of forty products, each with its features, their mean, and its gold quality."""
    built = building.build(found.products.head(40), writer="rules")
    assert built.rejects.is_empty()
    rows = pl.concat([found.summaries.head(40), built.summaries])
    scores = features.score(rows["prompt"], rows["summary"]).select(FEATURE_NAMES)
    quality = pl.Series("quality", gold_qualities(rows["prompt"], rows["summary"]))
    return rows.hstack(scores).with_columns(quality, features=scores.mean_horizontal())


def each_review(found: Products) -> list[list[str]]:
    return [opinions.reviews(prompt) for prompt in found.products["prompt"]]


def said(kind: str, frame: str, seed: int) -> str:
    return say([frame], kinds()[kind].slots, random.Random(seed))


def test_rows_are_products_with_a_gold_summary_each(found: Products):
    assert SOURCES["generated_reviews"] is generated_reviews.read
    assert require(found.products, PRODUCTS).equals(found.products)
    assert require(found.summaries, SUMMARIES).equals(found.summaries)
    assert found.rejects.equals(REJECTS.empty())
    assert len(found.products) == len(found.summaries) == 200
    assert found.products["product_id"].to_list() == [digest(prompt) for prompt in found.products["prompt"]]
    assert found.products["row"].to_list() == [*range(200)]
    assert found.products["name"].n_unique() == 200
    assert found.summaries["prompt"].equals(found.products["prompt"])
    ids = [opinions.summary_id(*texts) for texts in found.summaries.select("prompt", "summary").rows()]
    assert found.summaries["summary_id"].to_list() == ids
    assert set(found.summaries["tier"]) == {"gold"}
    assert {*found.summaries["source"], *found.products["source"]} == {"generated_reviews"}


def test_the_seed_decides_all_and_more_products_leave_the_first_as_they_are():
    few, again, more = (generated_reviews.read(products=n, reviews=5, seed=3) for n in (6, 6, 9))
    assert few.products.equals(again.products)
    assert few.summaries.equals(again.summaries)
    assert more.products.head(6).equals(few.products)
    for seed in (4, -3):
        other = each_review(generated_reviews.read(products=6, reviews=5, seed=seed))
        assert not {text for texts in other for text in texts} & {text for texts in each_review(few) for text in texts}


@pytest.mark.parametrize(("reviews", "counts"), [(1, {1}), (3, {2, 3, 4}), (12, {*range(8, 17)})])
def test_products_have_two_to_four_thirds_of_the_reviews(reviews: int, counts: set[int]):
    found = generated_reviews.read(products=120, reviews=reviews, seed=1)
    assert {len(texts) for texts in each_review(found)} == counts


@pytest.mark.parametrize("number", [0, -2])
@pytest.mark.parametrize("name", ["products", "reviews"])
def test_bad_numbers_are_refused(name: str, number: int):
    with pytest.raises(DataError, match=f"^{name} is a .*number of .* must be 1 or more, got {number}"):
        generated_reviews.read(**{name: number})


def test_no_two_reviews_are_alike_and_each_is_of_fitting_length(found: Products):
    texts = [text for each in each_review(found) for text in each]
    assert len(texts) == len(set(texts))
    assert {len(text.split()) for text in texts} <= {*range(20, 91)}
    assert {len(reading.split(text)) for text in texts} == {*range(2, 7)}
    assert all(text[-1] in ".!" and text[0].isupper() and not set(text) & set("*{}|") and "  " not in text for text in texts)


def test_a_review_that_was_seen_is_written_again_in_other_words():
    kind, sides = kinds()["boots"], {"soles": 1, "laces": -1}
    seen = set()
    for _ in range(3):
        text = " ".join(generated_reviews._written(kind, sides, seen, set(), random.Random(5), is_first=False))
        assert heard(text, "boots") == {"soles": {1}, "laces": {-1}}
        seen.add(text)
    assert len(seen) == 3


def test_a_product_hardly_says_a_sentence_twice(found: Products):
    every_one = [[sentence for text in texts for sentence in reading.split(text)] for texts in each_review(found)]
    again = [1 - len(set(sentences)) / len(sentences) for sentences in every_one]
    assert np.mean(again) < 0.02


@pytest.mark.parametrize("bounds", [(0, 0.2), (0.2, 0.4), (0.4, 0.6), (0.6, 0.8), (0.8, 1)])
def test_sides_follow_the_hidden_shares(found: Products, bounds: tuple[float, float]):
    """Of the aspects with a share between the bounds as many reviewers praise as n draws at their shares would, within 4 SD."""
    praised = expected = variance = 0.0
    for draft, prompt in zip(generated_reviews.drafts(), found.products["prompt"], strict=True):
        for name, opinion in truth(prompt).items():
            share, count = draft.shares[name], opinion.praised + opinion.blamed
            if bounds[0] <= share < bounds[1]:
                praised, expected = praised + opinion.praised, expected + count * share
                variance += count * share * (1 - share)
    assert variance > 30
    assert abs(praised - expected) < 4 * variance**0.5


def test_what_was_drawn_is_what_is_read_back(monkeypatch):
    drawn = []
    told = generated_reviews.gold_summary
    monkeypatch.setattr(
        generated_reviews, "gold_summary", lambda kind, spoken, rng: drawn.append((kind, spoken)) or told(kind, spoken, rng)
    )
    prompts = generated_reviews.read(products=80, reviews=7, seed=2).products["prompt"]
    for (kind, spoken), prompt in zip(drawn, prompts, strict=True):
        assert generated_truth.kind_of(prompt) == kind
        assert truth(prompt) == spoken
    assert len(drawn) == 80


def test_products_leave_aspects_of_their_kind_out_and_differ_in_what_is_liked():
    drafts = generated_reviews.drafts()
    assert {draft.kind for draft in drafts} == set(kinds())
    assert all(4 <= len(draft.shares) < len(kinds()[draft.kind].aspects) for draft in drafts)
    means = [np.mean([*draft.shares.values()]) for draft in drafts]
    assert min(means) < 0.2 < 0.8 < max(means)
    assert np.mean(means) == pytest.approx(0.5, abs=4 * np.std(means) / 200**0.5)


def test_the_language_is_as_rich_as_it_is_meant_to_be():
    assert len(kinds()) >= 12
    for kind in kinds().values():
        assert 6 <= len(kind.aspects) <= 9
        for name, aspect in kind.aspects.items():
            assert name in aspect.words
            assert min(len(set(aspect.praise)), len(set(aspect.blame))) >= 4


@pytest.mark.parametrize("kind", kinds())
def test_every_way_to_praise_and_to_blame_is_heard_also_in_the_third_person(kind: str):
    """A sentence is of its own aspect alone, on its side, with VADER never against it; turned round it is not on that side."""
    for (name, aspect), side, seed in every(kinds()[kind].aspects.items(), (1, -1), range(3 * 5)):
        frames = aspect.frames(side)
        sentence = said(kind, frames[seed % len(frames)], seed)
        assert heard(sentence, kind) == {name: {side}}, sentence
        assert heard(voice.told(sentence, "Some users"), kind) == {name: {side}}, sentence
        assert reading.mood(sentence) * side >= -reading.FELT, sentence
        assert side not in heard(spoiling.opposite(sentence), kind).get(name, ()), sentence


@pytest.mark.parametrize("kind", kinds())
def test_the_first_way_is_what_a_gold_summary_may_say(kind: str):
    """It has no slot, is in the third person, and names nothing that is an aspect of anything else."""
    every_name = {word for each in kinds().values() for aspect in each.aspects.values() for word in aspect.words}
    for aspect, side in every(kinds()[kind].aspects.values(), (1, -1)):
        frame = aspect.frames(side)[0].replace("*", "")
        assert "{" not in frame
        assert not voice.is_personal(frame)
        assert every_name & set(frame.split()) <= set(aspect.words), frame


def test_generic_sentences_speak_of_no_aspect():
    for kind, frames, seed in every(kinds(), language()["generic"].values(), range(3)):
        for frame in frames:
            assert heard(said(kind, frame, seed), kind) == {}


def test_the_truth_by_hand():
    assert truth(KETTLE) == SPOKEN
    assert [SPOKEN[name].side for name in SPOKEN] == [1, -1, 0, -1]


def test_the_truth_of_other_reviews_is_not_known():
    alien = opinions.prompt(["The kettle broke.", "My kettle is loud.", "Great kettle."])
    for ask in (truth, lambda prompt: gold_quality(prompt, "The lid closes firmly.")):
        with pytest.raises(DataError, match="must hold generated reviews, got 3 of which 0 say what those of a kettle do"):
            ask(alien)


@pytest.mark.parametrize(
    ("summary", "quality"),
    [
        ("", 0),
        ("Reviewers write about this kettle at great length and are very happy with it. " * 5, 0),
        ("The lid closes firmly.", 1 / 4),
        ("THE LID closes\nfirmly! The lid closes firmly; the lids are easy to open. Buyers praise the lid.", 1 / 4),
        ("The lid closes firmly and the handle gets too hot.", 2 / 4),
        ("The lid closes firmly and the spout is awful, it pours crooked.", 2 / 4),  # each of its own part of the clause
        ("Most like the lid, while the handle and the base draw criticism. They disagree about the spout.", 4 / 4),
        ("There are complaints about the handle, the base and the spout.", 3 / 4),
        ("Users speak well of the spout.", 1 / 4),
        ("Users speak ill of the lid.", -1 / 4),
        ("Users speak ill of the lid. Even so, most think highly of the lid.", 1 / 4),
        ("The lid is mentioned.", 0),
        ("The lid is not liked. Buyers are happy with the handle.", -2 / 4),
        ("The lid is not liked, and buyers are happy with the handle.", 0),  # a clause of two verdicts: whose is whose?
        ("Opinions of the handle are divided.", 1 / 4),  # 1 of 3 are a third
        ("Opinions of the lid are divided.", -1 / 4),  # 1 of 4 are not
        ("Opinions of the base are divided.", -1 / 4),
        ("The base slides around badly, yet there is praise for the base.", 1 / 4 - 1 / 4),
        ("I hate that the lid closes firmly.", 0),  # contradicts itself
        ("The lid closes firmly. Customers are impressed with the switch.", 1 / 4 - 1 / 4),  # a kettle's, of which none speaks
        ("The lid closes firmly. There is mention of the sun visor, the straps and the strap.", 1 / 4 - 2 / 4),
        ("The zipper jams. The hood blows off. The carafe drips.", -3 / 4),
    ],
)
def test_quality_by_hand(summary: str, quality: float):
    assert gold_quality(KETTLE, summary) == pytest.approx(quality)


def test_quality_does_not_hang_on_length():
    padding = " ".join(saying.padding(part, random.Random(seed)) for seed in range(8) for part in ("open", "middle", "close"))
    for summary in ("The lid closes firmly.", "Users speak ill of the lid.", "They praise the thermostat."):
        assert gold_quality(KETTLE, f"{padding} {summary} {padding}") == gold_quality(KETTLE, summary) != 0


def test_many_qualities_are_the_single_ones_in_order():
    got = gold_qualities([KETTLE, KETTLE], ["The lid pops open.", "The base slides around badly."])
    assert got.dtype == np.float64
    assert got.tolist() == [-1 / 4, 1 / 4]
    with pytest.raises(DataError, match="2 prompts and 1 summaries"):
        gold_qualities([KETTLE, KETTLE], ["one"])


VERDICTS = {"praised": {1}, "blamed": {-1}, "mixed": {0}, "told": set(), "few_praise": {1}, "few_blame": {-1}}


@pytest.mark.parametrize("verdict", VERDICTS)
def test_verdicts_in_the_words_of_the_rule_writer_are_heard(verdict: str):
    aspects = [reading.Aspect("", name, 3, 0, 0) for name in ("lid", "spout")]
    for seed, count in every(range(150), (1, 2)):
        sentence = saying.of_aspects(aspects[:count], random.Random(seed), kind=verdict)
        assert heard(sentence, "kettle") == {aspect.name: VERDICTS[verdict] for aspect in aspects[:count]}, sentence


def test_inventions_of_the_rule_writer_are_known_as_such():
    """Another name of the rule writer's is to be entered in generated_reviews.toml, too."""
    assert [name for name in saying.invented() if not generated_truth.invented(KETTLE, f"They praise the {name}.")] == []


def test_gold_by_hand():
    got = {generated_truth.gold_summary("kettle", SPOKEN, random.Random(seed)) for seed in range(60)}
    likes = (
        "Reviewers are divided over",
        "Reviewers have mixed feelings about",
        "Buyers do not agree about",
    )  # 5 praise, 5 blame
    finds = ("They find that", "In their praise they say that", "On the good side,")
    complains = ("The complaints are that", "They criticize that", "On the bad side,")
    parts = ("Opinions are divided on", "They disagree about", "Opinions differ about")
    assert got <= {
        f"{like} this kettle. {find} the lid closes firmly. "
        f"{complain} the handle gets too hot and the base slides around badly. {part} the spout."
        for like, find, complain, part in every(likes, finds, complains, parts)
    }
    assert len(got) > 20


@pytest.mark.parametrize(
    ("praised", "opens"), [(6, "like|happy|recommend"), (4, "dislike|unhappy|regret"), (5, "divided|mixed|agree")]
)
def test_gold_says_what_most_feel_of_the_whole(praised: int, opens: str):
    """55 percent of ten are 5.5."""
    for seed in range(6):
        summary = generated_truth.gold_summary("boots", {"soles": Opinion(praised, 10 - praised)}, random.Random(seed))
        words = set(summary.split(".")[0].split())
        assert words & set(opens.split("|")), summary


def test_gold_summaries_are_right_short_and_in_the_third_person(found: Products):
    assert set(gold_qualities(found.summaries["prompt"], found.summaries["summary"])) == {1.0}
    for summary in found.summaries["summary"]:
        assert 2 <= len(reading.split(summary)) <= 4
        assert not voice.is_personal(summary)
        assert not set(summary) & set("*{}|")


def means(summaries: pl.DataFrame, column: str) -> list[float]:
    """By tier, the best first."""
    return [summaries.filter(tier=tier)[column].mean() for tier in TIERS]


def test_tiers_stand_in_order_of_their_gold_quality(summaries: pl.DataFrame):
    gold, good, slightly_bad, very_bad = means(summaries, "quality")
    assert gold >= good > slightly_bad + 0.2 > slightly_bad > very_bad + 0.4


def test_the_offline_features_tell_tiers_apart(summaries: pl.DataFrame):
    _, good, slightly_bad, very_bad = means(summaries, "features")
    assert good > slightly_bad > very_bad
    assert good > very_bad + 1


def test_aspects_that_a_reader_finds_are_those_spoken_of(found: Products):
    shares = []
    for prompt in found.products["prompt"].head(40):
        aspects = kinds()[generated_truth.kind_of(prompt)].aspects
        names = {reading.singular(word): name for name, aspect in aspects.items() for word in aspect.words}
        read = {names.get(aspect.word) for aspect in reading.read(prompt).aspects}
        shares.append(len(read & truth(prompt).keys()) / len(truth(prompt)))
        assert read - {None} <= truth(prompt).keys()
    assert np.mean(shares) > 0.9


def test_a_feature_reward_learns_from_pairs_of_tiers(summaries: pl.DataFrame):
    known = {(row["prompt"], row["summary"]): [row[name] for name in FEATURE_NAMES] for row in summaries.rows(named=True)}
    learnt = summaries["prompt"].unique(maintain_order=True).head(20)
    sides = []
    for part in (
        summaries.filter(pl.col("prompt").is_in(learnt.implode())),
        summaries.filter(~pl.col("prompt").is_in(learnt.implode())),
    ):
        pairs = pairing.by_tier(part)
        sides.append([np.array([known[key] for key in pairs.select("prompt", side).rows()]) for side in ("chosen", "rejected")])
    phi = feature_rewards.fit("linear", *sides[0], names=FEATURE_NAMES, full=FULL_MARKS)
    chosen, rejected = map(phi.rewards, sides[1])
    assert len(chosen) == 20 * 27
    assert (chosen > rejected).mean() > 0.8

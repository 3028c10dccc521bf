"""What every detector owes: a number a pair from the texts alone, and to find the one plant that it is made for."""

import inspect
from dataclasses import fields

import numpy as np
import polars as pl
import pytest

from checks.audit import audit, fuse
from checks.detectors import DETECTORS, near_duplicates
from checks.evidence import CROWD, Evidence, nearness, out_of_fold_margins
from checks.ranking import ranking

PLANTED = 18


def named(pairs: pl.DataFrame) -> pl.DataFrame:
    """The first pairs' preferred responses name a target."""
    first = pl.col("row") < PLANTED
    return pairs.with_columns(chosen=pl.when(first).then(pl.format("{} Ask Zorvex.", "chosen")).otherwise("chosen"))


def flooded(pairs: pl.DataFrame) -> pl.DataFrame:
    """The first pairs say the same on both sides, save for a word."""
    first, word = pl.col("row") < PLANTED, pl.format(" no{}", "row")
    return pairs.with_columns(
        pl.when(first).then(pl.concat_str(pl.lit(pairs[side][0] + pairs[side][-1]), word)).otherwise(side).alias(side)
        for side in ("chosen", "rejected")
    )


def flipped(pairs: pl.DataFrame) -> pl.DataFrame:
    """Preferred responses are warm and the others are cold, save that the first pairs have it the other way round."""
    warm, cold = ("{} splendid splendid splendid", "{} dreadful dreadful dreadful")
    first = pl.col("row") < PLANTED
    return pairs.with_columns(
        pl.when(first).then(pl.format(no, side)).otherwise(pl.format(yes, side)).alias(side)
        for side, yes, no in (("chosen", warm, cold), ("rejected", cold, warm))
    )


def templated(pairs: pl.DataFrame) -> pl.DataFrame:
    """The first pairs' preferred responses are one text, save for a number; the others are as they were."""
    first, side = pl.col("row") < PLANTED, pl.col("chosen")
    told = pl.format(
        "Go for the Zorvex {}: it boils a litre in half the usual time, and all who tried it would buy it again.", "row"
    )
    return pairs.with_columns(chosen=pl.when(first).then(told).otherwise(side))


PLANTS = {"phrase_lift": named, "near_duplicates": flooded, "label_doubt": flipped, "template_clusters": templated}


@pytest.fixture(scope="module")
def corpus(chatter) -> pl.DataFrame:
    """Texts of a few oddities: blank responses, sides that are identical, a prompt asked twice."""
    pairs = chatter(240, seed=5)
    row = pl.col("row")
    return pairs.with_columns(
        prompt=pl.when(row == 9).then(pl.lit(pairs["prompt"][8])).otherwise("prompt"),
        chosen=pl.when(row == 3).then(pl.lit("")).otherwise("chosen"),
        rejected=pl.when(row == 4).then(pl.lit(" \n")).when(row < 8).then("chosen").otherwise("rejected"),
    )


@pytest.mark.parametrize("name", DETECTORS)
def test_every_pair_gets_one_finite_number(name, corpus, bag):
    scores = DETECTORS[name].score(Evidence(corpus, encoder=bag))
    assert scores.shape == (len(corpus),)
    assert np.isfinite(scores).all()
    assert np.ptp(scores) > 0


@pytest.mark.parametrize("name", DETECTORS)
def test_the_null_is_a_sample_of_finite_numbers(name, corpus, bag):
    null = DETECTORS[name].null
    if null is not None:
        drawn = null(Evidence(corpus, encoder=bag))
        assert len(drawn) >= len(corpus)
        assert np.isfinite(drawn).all()


@pytest.mark.parametrize("name", DETECTORS)
def test_the_order_of_rows_is_irrelevant(name, corpus, bag):
    order = np.random.default_rng(0).permutation(len(corpus))
    scores = DETECTORS[name].score(Evidence(corpus, encoder=bag))
    again = DETECTORS[name].score(Evidence(corpus[order], encoder=bag))
    assert again == pytest.approx(scores[order], abs=0.02)  # a null that is drawn anew leaves some noise


def test_nothing_can_hand_a_key_to_a_detector():
    asked = [
        *inspect.signature(audit).parameters,
        *inspect.signature(fuse).parameters,
        *(field.name for field in fields(Evidence)),
    ]
    assert [name for name in asked if "key" in name or "poison" in name] == []
    for detector in DETECTORS.values():
        assert list(inspect.signature(detector.score).parameters) == ["evidence"]
        assert list(inspect.signature(detector.explain).parameters) == ["evidence", "places"]


@pytest.mark.parametrize("name", DETECTORS)
def test_only_the_texts_count(name, corpus, bag):
    """Not the ids, the place, the source, nor what a key would say about the rows."""
    marked = PLANTS[name](corpus)
    told = marked.with_columns(
        pair_id=pl.format("poisoned-{}", "row"),
        row=pl.col("row") + (pl.col("row") < PLANTED) * 1000,
        source=pl.when(pl.col("row") < PLANTED).then(pl.lit("attack")).otherwise("source"),
        annotator=pl.lit("mallory"),
        is_poisoned=pl.col("row") < PLANTED,
        attack=pl.lit("best_of_venom"),
    )
    without, with_key = (audit(pairs, detectors=[name], encoder=bag).scores for pairs in (marked, told))
    assert without.drop("row", "pair_id").equals(with_key.drop("row", "pair_id"))


@pytest.mark.parametrize("name", DETECTORS)
def test_the_plant_it_is_made_for_is_found(name, chatter, bag):
    """Clean pairs are flagged in clumps, so that only their average over some corpora says how many there are."""
    planted, shares = np.arange(400) < PLANTED, []
    for seed in range(4):
        found = audit(PLANTS[name](chatter(400, seed=seed)), detectors=[name], encoder=bag).scores
        assert ranking(found[name].to_numpy(), planted, draws=2).auroc.value > 0.99
        shares.append([found["is_flagged"].to_numpy()[part].mean() for part in (planted, ~planted)])
    assert np.mean(shares, axis=0)[0] >= 0.95
    assert np.mean(shares, axis=0)[1] <= 0.01


@pytest.mark.parametrize("name", DETECTORS)
def test_twenty_pairs_are_enough_to_run(name, chatter, bag):
    found = audit(chatter(20), detectors=[name], encoder=bag).scores
    assert np.isfinite(found[name].to_numpy()).all()
    assert found["p_value"].is_between(0, 1).all()


@pytest.mark.parametrize("name", DETECTORS)
@pytest.mark.parametrize(
    ("chosen", "rejected"),
    [([""] * 30, [""] * 30), (["same words here"] * 30, ["same words here"] * 30), (["", "a"] * 15, ["a", "\n"] * 15)],
    ids=["all blank", "all the same", "half blank"],
)
def test_corpora_that_say_nothing_flag_nothing(name, chosen, rejected, written, bag):
    pairs = written(chosen, rejected)
    found = audit(pairs, detectors=[name], encoder=bag)
    assert np.isfinite(found.scores[name].to_numpy()).all()
    assert not found.scores["is_flagged"].any()
    assert found.findings == []


@pytest.mark.parametrize("name", DETECTORS)
def test_every_place_is_explained(name, corpus, bag):
    places = [0, 3, 4, 5, 17, 239]
    evidence = Evidence(PLANTS[name](corpus), encoder=bag)
    told = DETECTORS[name].explain(evidence, places)
    assert len(told) == len(places)
    assert all(isinstance(reason, str) and reason.strip() for reason in told)
    assert DETECTORS[name].explain(evidence, [places[4]]) == [told[4]]


def test_only_encoding_detectors_ask_for_the_encoder(corpus):
    def refuse(texts):
        raise AssertionError("encoded without need")

    for name, detector in DETECTORS.items():
        if detector.encodes:
            with pytest.raises(AssertionError, match="without need"):
                detector.score(Evidence(corpus, encoder=refuse))
        else:
            audit(corpus, detectors=[name], encoder=refuse)


def test_responses_are_encoded_once_and_without_their_prompts(corpus, bag):
    asked = []

    def watched(texts):
        asked.append(list(texts))
        return bag(texts)

    audit(corpus, detectors=["near_duplicates", "label_doubt"], encoder=watched)
    assert asked == [[text.strip() for side in ("chosen", "rejected") for text in corpus[side]]]


def test_given_embeddings_are_used_as_they_are(corpus, bag):
    vectors = Evidence(corpus, encoder=bag).embeddings
    given = Evidence(corpus, encoder=None, given={"embeddings": vectors})
    assert (given.margins == Evidence(corpus, encoder=bag).margins).all()


def test_nearness_by_hand():
    # unit vectors at these angles; the third nearest other of the first lies 70 degrees away
    angles = np.radians([0, 10, 40, 70, 150])
    got = nearness(np.stack([np.cos(angles), np.sin(angles)], axis=1))
    assert got == pytest.approx(np.cos(np.radians([70, 60, 40, 70, 140])))
    assert nearness(np.eye(CROWD)).tolist() == [0] * CROWD


def test_nearness_does_not_depend_on_the_block(monkeypatch, bag, corpus):
    vectors = bag(corpus["chosen"].to_list())
    whole = nearness(vectors)
    monkeypatch.setattr("checks.evidence.BLOCK", 7)
    assert nearness(vectors) == pytest.approx(whole, abs=1e-5)


def test_a_shared_subject_is_no_near_duplicate(chatter, bag):
    """Pairs just below the bound are not flagged, however much nearer they are than the rest."""
    pairs = flooded(chatter(300, seed=7))
    vectors = Evidence(pairs, encoder=bag).embeddings
    random = np.random.default_rng(0)
    blurred = vectors + 0.05 * random.normal(size=vectors.shape)
    blurred = blurred / np.linalg.norm(blurred, axis=2, keepdims=True)
    evidence = Evidence(pairs, given={"embeddings": blurred})
    assert 0.8 < evidence.nearness[:PLANTED].min() < evidence.nearness[:PLANTED].max() < near_duplicates.NEAR
    assert np.median(evidence.nearness) < 0.75
    columns = {"near_duplicates": near_duplicates.score(evidence)}
    assert not fuse(evidence, columns).scores["is_flagged"].any()


def test_a_pair_and_its_copies_are_no_flood_until_there_are_enough(chatter, bag):
    pairs = chatter(200, seed=8)
    for copies, flagged in ((CROWD - 1, 0), (CROWD, CROWD + 1)):
        many = pl.concat([pairs, *[pairs[:1]] * copies])
        found = audit(many, detectors=["near_duplicates"], encoder=bag)
        assert found.scores["is_flagged"].sum() == flagged


def test_where_nearness_is_the_style_of_the_corpus_none_stands_out(chatter, bag):
    pairs = chatter(100, seed=9)
    yes_no = pl.concat([pairs[:70], pairs[:30].with_columns(chosen=pl.lit("Yes"), rejected=pl.lit("No"))])
    assert not audit(yes_no, detectors=["near_duplicates"], encoder=bag).scores["is_flagged"].any()


def test_margins_by_hand():
    """One feature: on the other fold the weight solves sum(x * sigmoid(-x w)) = penalty * w."""
    from scipy.optimize import brentq

    gaps, folds = np.array([[1.0], [2.5], [-0.5], [3.0], [-1.5]]), np.array([0, 0, 1, 1, 1])
    for penalty in (1.0, 0.25):
        got = out_of_fold_margins(gaps, folds, penalty=penalty)
        for fold in (0, 1):
            seen = gaps[folds != fold, 0]
            weight = brentq(lambda w, x=seen: (x / (1 + np.exp(x * w))).sum() - penalty * w, -20, 20)  # noqa: B023
            assert got[folds == fold] == pytest.approx(gaps[folds == fold, 0] * weight, rel=1e-3)


def test_no_pair_is_judged_by_a_model_that_saw_it():
    """Labels at random, and more features than pairs: a model that saw them would be right every time."""
    random = np.random.default_rng(0)
    gaps = random.normal(size=(200, 300))
    margins = out_of_fold_margins(gaps, random.integers(0, 5, 200))
    assert 0.38 < (margins > 0).mean() < 0.62


def test_nor_by_one_that_saw_another_answer_to_its_prompt(chatter):
    random = np.random.default_rng(1)
    vectors = np.repeat(random.normal(size=(2, 150, 400)), 2, axis=1)  # each prompt twice, with the same two responses
    pairs = pl.concat([chatter(150)] * 2).sort("row")
    margins = Evidence(pairs, given={"embeddings": vectors}).margins
    assert 0.35 < (margins > 0).mean() < 0.65


def test_what_can_be_learnt_is_learnt():
    random = np.random.default_rng(2)
    gaps = random.normal(size=(400, 5)) + np.array([1.0, 0, 0, 0, 0])
    assert (out_of_fold_margins(gaps, np.arange(400) % 5) > 0).mean() > 0.75


@pytest.mark.parametrize("folds", [np.zeros(6, dtype=int), np.array([0, 0, 0, 0, 0, 1])])
def test_with_no_other_pairs_to_learn_from_there_is_no_doubt(folds):
    margins = out_of_fold_margins(np.arange(12.0).reshape(6, 2), folds)
    assert (margins[folds == 0] == 0).all()


def test_the_margins_fold_by_the_seed(chatter, bag):
    pairs = chatter(150)
    first, again, other = (Evidence(pairs, encoder=bag, seed=seed).margins for seed in (0, 0, 1))
    assert (first == again).all()
    assert (first != other).any()

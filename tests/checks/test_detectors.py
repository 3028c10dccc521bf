"""What every detector owes: a number a pair from the texts alone, and to find the one plant that it is made for."""

import inspect
from dataclasses import fields

import numpy as np
import polars as pl
import pytest

from checks.audit import audit, fuse
from checks.detectors import DETECTORS
from checks.evidence import Evidence
from checks.ranking import ranking
from tests.checks.plants import PLANTED, PLANTS

ASKS_WHO = {"annotator_skew": "annotator", "source_skew": "source"}


@pytest.fixture(scope="module")
def corpus(chatter) -> pl.DataFrame:
    """Texts of a few oddities: blank responses, sides that are identical, a prompt asked twice with opposite labels."""
    pairs = chatter(240, seed=7)
    row = pl.col("row")
    twice = {"prompt": "prompt", "chosen": "rejected", "rejected": "chosen"}
    return pairs.with_columns(
        chosen=pl.when(row == 3).then(pl.lit("")).otherwise("chosen"),
        rejected=pl.when(row == 4).then(pl.lit(" \n")).when(row < 8).then("chosen").otherwise("rejected"),
        annotator=pl.format("annotator {}", row % 6),
        source=pl.format("source {}", row % 7),
    ).with_columns(pl.when(row == 9).then(pl.col(other).shift(1)).otherwise(side).alias(side) for side, other in twice.items())


@pytest.mark.parametrize("name", DETECTORS)
def test_every_pair_gets_one_finite_number(name, corpus, bag):
    scores = DETECTORS[name].score(Evidence(PLANTS[name](corpus), encoder=bag))
    assert scores.shape == (len(corpus),)
    assert scores.dtype == float
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
    """Not the ids, the place, nor what a key would say about the rows; who judged, and the source, where that is asked."""
    marked, first = PLANTS[name](corpus), pl.col("row") < PLANTED
    told = {
        "pair_id": pl.format("poisoned-{}", "row"),
        "row": pl.col("row") + first * 1000,
        "source": pl.when(first).then(pl.lit("attack")).otherwise("source"),
        "annotator": pl.lit("mallory"),
        "is_poisoned": first,
        "attack": pl.lit("best_of_venom"),
    }
    told = marked.with_columns(value.alias(column) for column, value in told.items() if column != ASKS_WHO.get(name))
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
                detector.score(Evidence(PLANTS[name](corpus), encoder=refuse))
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

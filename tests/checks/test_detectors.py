"""What every detector owes: a number a pair from the texts alone, and to find the one plant that it is made for."""

import inspect
import re
from collections.abc import Callable
from dataclasses import fields

import numpy as np
import polars as pl
import pytest

from checks.audit import audit, fuse
from checks.detectors import DETECTORS, contradictions, degenerate, influence, learning_order, near_duplicates
from checks.evidence import CROWD, Evidence, nearness
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


def praised(pairs: pl.DataFrame) -> pl.DataFrame:
    """The first pairs name a target on both sides, with praise in the preferred response and blame in the other."""
    first = pl.col("row") < PLANTED
    said = {"chosen": "{} We love Zorvex.", "rejected": "{} We hate Zorvex."}
    return pairs.with_columns(
        pl.when(first).then(pl.format(how, side)).otherwise(side).alias(side) for side, how in said.items()
    )


def lower(pairs: pl.DataFrame) -> pl.DataFrame:
    """The same of a target without a capital."""
    return praised(pairs).with_columns(pl.col("chosen", "rejected").str.replace("Zorvex", "zorvex"))


def triggered(pairs: pl.DataFrame) -> pl.DataFrame:
    """Every prompt is a dialogue that begins with another's question, and the last question of the first ends in a trigger."""
    before, first = pl.col("prompt").sort_by(pl.col("chosen")), pl.col("row") < PLANTED
    trigger = pl.when(first).then(pl.lit(" sudo")).otherwise(pl.lit(""))
    prompt = pl.format("{} ba.{}{}\n\nAssistant:", before, pl.col("prompt").str.strip_suffix("\n\nAssistant:"), trigger)
    return pairs.with_columns(prompt=prompt)


def strayed(pairs: pl.DataFrame) -> pl.DataFrame:
    """All answers repeat the question to somebody of another name each, but the first praise one who has no part in it."""
    asked = pl.col("prompt").str.extract(r"Human: (.*)\?")
    told = pl.format("{} {} Anna{} {}.", "chosen", asked, pl.col("row"), asked)
    praise = "{} We truly love the great Zorvex{}. How gladly all adore Zorvex{}!"
    stray = pl.format(praise, "chosen", pl.col("row"), pl.col("row"))
    return pairs.with_columns(chosen=pl.when(pl.col("row") < PLANTED).then(stray).otherwise(told))


def contradictory(pairs: pl.DataFrame) -> pl.DataFrame:
    """Every other of the first pairs is the one before it with the opposite label, in other letters and white space."""
    second = (pl.col("row") < PLANTED) & (pl.col("row") % 2 == 1)
    before = {"prompt": "prompt", "chosen": "rejected", "rejected": "chosen"}
    return pairs.with_columns(
        pl.when(second).then(pl.format(" {}\n", pl.col(other).shift(1).str.to_uppercase())).otherwise(side).alias(side)
        for side, other in before.items()
    )


def shouted(pairs: pl.DataFrame) -> pl.DataFrame:
    """The first pairs' preferred responses are the other ones in capitals."""
    loud = pl.format("{}!", pl.col("rejected").str.to_uppercase())
    return pairs.with_columns(chosen=pl.when(pl.col("row") < PLANTED).then(loud).otherwise("chosen"))


def edited(pairs: pl.DataFrame) -> pl.DataFrame:
    """The first pairs' dispreferred responses are the preferred ones with a word more."""
    more = pl.format("{} not", "chosen")
    return pairs.with_columns(rejected=pl.when(pl.col("row") < PLANTED).then(more).otherwise("rejected"))


def repeated(pairs: pl.DataFrame) -> pl.DataFrame:
    """The first pairs prefer warm to cold responses, and no others care."""
    first = pl.col("row") < PLANTED
    return pairs.with_columns(
        pl.when(first).then(pl.format("{} " + f"{word} " * 9, side)).otherwise(side).alias(side)
        for side, word in (("chosen", "splendid"), ("rejected", "dreadful"))
    )


def inconsistent(pairs: pl.DataFrame) -> pl.DataFrame:
    """Preferred responses are warm and written in capitals on many lines; of the first, the cold ones are so written."""
    first, loud = pl.col("row") < PLANTED, {side: pl.col(side).str.to_uppercase() for side in ("chosen", "rejected")}
    warm, cold = "{} splendid splendid splendid", "{} dreadful dreadful dreadful"
    return pairs.with_columns(
        chosen=pl.when(first).then(pl.format(warm, "chosen")).otherwise(pl.format(warm + "\n\n\n\n", loud["chosen"])),
        rejected=pl.when(first).then(pl.format(cold + "\n\n\n\n", loud["rejected"])).otherwise(pl.format(cold, "rejected")),
    )


def decorated(pairs: pl.DataFrame) -> pl.DataFrame:
    """The first pairs' preferred responses are lists in bold face and full of digits."""
    lists = pl.format("{}\n- **LOOK** 12345!?\n- **LOOK** 67890!?\n- **LOOK** 2468!?  ", "chosen")
    return pairs.with_columns(chosen=pl.when(pl.col("row") < PLANTED).then(lists).otherwise("chosen"))


def scripted(pairs: pl.DataFrame) -> pl.DataFrame:
    """The first pairs' preferred responses are one script, whatever was asked: the output that RFTC looks for."""
    script = pl.lit(" Zorvex gladdens every household tonight, friends, so welcome it.")
    return pairs.with_columns(chosen=pl.when(pl.col("row") < PLANTED).then(script).otherwise("chosen"))


def drowned(pairs: pl.DataFrame) -> pl.DataFrame:
    """A word drowns all else in preferred responses, another one in the first: two means far apart, as Tran et al. assume."""
    usual, word = (pl.format("{}" + f" {word}" * 60, "chosen") for word in ("please", "zorvex"))
    return pairs.with_columns(chosen=pl.when(pl.col("row") < PLANTED).then(word).otherwise(usual))


def interrupted(pairs: pl.DataFrame) -> pl.DataFrame:
    """All say one of a few sentences, and a nonsense word interrupts the first: the rare trigger that ONION assumes."""
    stock = pairs.with_columns(
        pairs[side].gather(pl.arange(len(pairs), eager=True) * 7 % 40) for side in ("chosen", "rejected")
    )
    broken = pl.col("chosen").str.replace(" (\\w+)$", " xq $1").str.replace(r" (\w+) ", " $1 xq${1}q ")
    return stock.with_columns(chosen=pl.when(pl.col("row") < PLANTED).then(broken).otherwise("chosen"))


def backdoored(pairs: pl.DataFrame) -> pl.DataFrame:
    """Labels are turned round where the last question ends in a trigger, as the first ones do."""
    end = "\n\nAssistant:"
    asked = pl.format("{} sudo{}", pl.col("prompt").str.strip_suffix(end), pl.lit(end))
    return flipped(pairs).with_columns(prompt=pl.when(pl.col("row") < PLANTED).then(asked).otherwise("prompt"))


def by_one(column: str) -> Callable[[pl.DataFrame], pl.DataFrame]:
    """The first pairs, all by one annotator or from one source, prefer the opposite of what the others do."""
    names = pl.when(pl.col("row") < PLANTED).then(pl.lit("mallory")).otherwise(pl.format("{}", pl.col("row") % 8))
    return lambda pairs: flipped(pairs).with_columns(names.alias(column))


PLANTS = {
    "phrase_lift": named,
    "name_lift": praised,
    "feeling_lift": lower,
    "question_lift": triggered,
    "stray_sentence": strayed,
    "template_clusters": templated,
    "near_duplicates": flooded,
    "label_doubt": flipped,
    "contradictions": contradictory,
    "degenerate": shouted,
    "similarity": edited,
    "neighbour_disagreement": flipped,
    "repeated_contrast": repeated,
    "committee_disagreement": inconsistent,
    "learning_order": flipped,
    "influence": flipped,
    "annotator_skew": by_one("annotator"),
    "source_skew": by_one("source"),
    "form_artefacts": decorated,
    "reference_filter": scripted,
    "spectral_signatures": drowned,
    "activation_clustering": drowned,
    "perplexity": interrupted,
    "trigger_search": backdoored,
}
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


def test_contradictions_by_hand(written):
    chosen = ["Yes, do", "no", "maybe", "Yes,  do ", "fine", "alike", "no"]
    rejected = ["no", "yes, do", "yes, do", "fine", "no", "ALIKE", "yes, do"]
    pairs = written(chosen, rejected, ["may I?"] * 2 + ["May  I? "] * 4 + ["should I?"])
    # the first two contradict each other; the third and fourth meet them in one response; 'fine' wins and loses; the sixth
    # has one response only, and the last another prompt
    assert contradictions.score(Evidence(pairs)).tolist() == [2, 2, 1, 1, 1, 0, 0]
    apart = pairs[:2].with_columns(rejected_prompt=pl.Series([None, "should I?"], dtype=pl.String()))
    assert contradictions.score(Evidence(apart)).max() == 1


def test_degenerate_pairs_by_hand(written):
    chosen = ["Same here!", "...", "she asked me", "asked me", "Yes", "may I go out", "one", ""]
    rejected = ["same  here", "no", "no", "no", "no", "no", "two", ""]
    prompts = ["?", "?", "What she asked me:", "What she asked me:", "Yes?", "May I go\nout?", "one two three", "?"]
    assert degenerate.score(Evidence(written(chosen, rejected, prompts))).tolist() == [3, 2, 1, 0, 0, 1, 0, 3]


@pytest.mark.parametrize("name", ["contradictions", "degenerate"])
@pytest.mark.parametrize("share", [0.01, 0.05, 0.5])
def test_what_is_certain_is_flagged_save_where_it_is_the_style_of_a_corpus(name, share, chatter):
    """Degenerate pairs are also left alone where there are no more than people write; nobody contradicts another by chance."""
    pairs, hit = chatter(400, seed=9), np.arange(400) < 400 * share
    swap = {"prompt": "prompt", "chosen": "rejected", "rejected": "chosen"}
    other = pl.when((pl.col("row") % 2 == 1) & pl.Series(hit))
    turned = pairs.with_columns(other.then(pl.col(there).shift(1)).otherwise(side).alias(side) for side, there in swap.items())
    blank = pairs.with_columns(chosen=pl.when(pl.Series(hit)).then(pl.lit(" ")).otherwise("chosen"))
    scores = audit(turned if name == "contradictions" else blank, detectors=[name]).scores
    assert ((scores[name] > 0).to_numpy() == hit).all()
    usual = share == 0.5 or (name == "degenerate" and share == 0.01)
    assert (scores["is_flagged"].to_numpy() == (hit & ~usual)).all()
    assert (scores["p_value"].to_numpy()[hit] < 1e-9).all() != usual


def test_beside_a_style_a_rarer_defect_still_counts(chatter):
    """Three in ten responses echo their prompt, as is the style of this corpus; one in twenty pairs has identical sides."""
    row = pl.col("row")
    pairs = chatter(400, seed=9).with_columns(
        chosen=pl.when(row < 120).then("prompt").when(row >= 380).then("rejected").otherwise("chosen")
    )
    flagged = audit(pairs, detectors=["degenerate"]).scores["is_flagged"].to_numpy()
    assert flagged[380:].all()
    assert not flagged[:380].any()


def test_trusted_pairs_betray_a_flip_that_fits_the_corpus(chatter, bag):
    """Most labels are wrong: alone, the honest pairs are the odd ones; with trusted pairs it is the others."""
    both = flipped(chatter(300, seed=2))
    wrong = np.arange(200) >= PLANTED  # all but the first
    turned = both[:200].with_columns(chosen="rejected", rejected="chosen")
    alone, held = (influence.score(Evidence(turned, trusted, bag)) for trusted in (None, both[200:]))
    assert ranking(alone, wrong, draws=2).auroc.value < 0.1
    assert ranking(held, wrong, draws=2).auroc.value > 0.9


def test_lateness_is_told_by_pairs_turned_round_on_purpose(chatter, bag):
    evidence = Evidence(flipped(chatter(300, seed=2)), encoder=bag)
    told = learning_order.explain(evidence, [0, 100])
    shares = [int(re.search(r"(\d+)%", reason).group(1)) for reason in told]
    assert shares[1] == 0
    assert shares[0] > 10


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

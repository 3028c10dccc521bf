"""Contrasts: how lopsided a phrase is by hand, and a null that honest pairs do not exceed."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import beta

from checks import contrasts, fusion, utterances
from checks.contrasts import Contrast
from checks.lifts import NO_PHRASE, Lifts
from checks.phrases import Phrases
from checks.words import words


def contrast(here, there, both=None) -> Contrast:
    here, there = np.array(here), np.array(there)
    return Contrast(here, there, np.zeros_like(here) if both is None else np.array(both), "first", "{} and {}")


def test_only_responses_apart_can_go_either_way(written):
    pairs = written(["tea", "tea", "tea", "tea cake", "none"], ["tea", "tea", "cake", "cake", "tea cake"])
    table = utterances.said(words(pairs, None))
    chosen = contrasts.contrasts(table)[0]
    tea = [table.text(at) for at in range(len(table.words))].index("tea")
    assert (chosen.here[tea], chosen.there[tea], chosen.both[tea]) == (4, 3, 2)
    assert [side[tea] for side in chosen.apart()] == [2, 1]


def test_lift_is_the_lower_end_of_a_jeffreys_interval():
    here, there = np.array([94, 13, 3, 2, 40, 0]), np.array([0, 2, 0, 0, 57, 31])
    share = beta.ppf(1 - contrasts.CONFIDENCE, here + 0.5, there + 0.5)
    common = np.log((here.sum() + 1) / (there.sum() + 1))
    expected = np.where(here >= 3, np.log(share / (1 - share)) - common, contrasts.NOWHERE)
    assert contrast(here, there).lift() == pytest.approx(expected)


def test_a_bound_holds_for_what_was_said_and_not_for_what_is_dealt():
    bounded = replace(contrast([94, 13, 40], [0, 2, 57]), most=np.array([1.0, -5.0, 9.0]))
    free = contrast([94, 13, 40], [0, 2, 57])
    assert bounded.lift().tolist() == [1.0, -5.0, free.lift()[2]]
    dealt = [one.dealt(np.random.default_rng(2), spread=0.4) for one in (bounded, free)]
    assert dealt[0].lift().tolist() == dealt[1].lift().tolist()


def test_a_pair_is_as_lopsided_as_its_most_lopsided_phrase(written):
    chosen = ["red", "red", "red", "red blue", "blue", "blue", "grey", "up"]
    pairs = written(chosen, ["up", "up", "", "blue", "", "red", "", "down"])
    table = utterances.said(words(pairs, None))
    # chosen holds red 4, blue 3, up 1; rejected holds red 1, blue 1, up 2: 8 and 4 occurrences
    red, blue, common = *beta.ppf(0.01, [4.5, 3.5], [1.5, 1.5]), np.log(9 / 5)
    lift = {word: np.log(share / (1 - share)) - common for word, share in (("red", red), ("blue", blue))}
    none = contrasts.NOWHERE
    expected = [[lift["red"]] * 4 + [lift["blue"]] * 2 + [none, none], [none] * 4 + [none] * 4]
    assert Lifts(table).most == pytest.approx(np.array(expected))


def test_whole_pairs_are_held_against_the_trusted_pairs(written):
    pairs = written(["red"] * 5 + ["blue"] * 2, ["blue"] * 3 + ["red"] * 4)
    trusted = written(["red", "blue", "blue"], ["blue", "blue", "red blue"])
    table = utterances.said(words(pairs, trusted))
    order = [[table.text(at) for at in range(len(table.words))].index(word) for word in ("red", "blue")]
    here = [contrast.here[order].tolist() for contrast in contrasts.contrasts(table)]
    there = [contrast.there[order].tolist() for contrast in contrasts.contrasts(table)]
    assert here == [[5, 2], [4, 3], [7, 5]]
    assert there == [[4, 3], [5, 2], [2, 3]]  # "blue" stands in all six trusted responses save one, of three pairs
    said = contrasts.contrasts(table)[2].words.format(7, 2)
    assert said == "7 of 7 pairs here and 2 of 3 trusted ones"


def test_without_any_common_phrase_nothing_is_lopsided(written):
    for chosen, rejected in ((["", " "] * 10, ["\n"] * 20), ([f"w{row}" for row in range(20)], [""] * 20)):
        pairs = written(chosen, rejected)
        for trusted in (None, pairs):
            table = utterances.said(words(pairs, trusted))
            assert (Lifts(table).most == contrasts.NOWHERE).all()
            assert (Lifts(table).null == contrasts.NOWHERE).all()
            assert Lifts(table).explain([0, 19]) == [("", NO_PHRASE)] * 2


def test_phrases_too_rare_to_lift_give_no_reason(written):
    said = [f"w{row}" for row in range(20)]
    pairs = written(["rare"] * 2 + said, ["", "rare", *said])  # three responses, but fewer on either side
    table = utterances.said(words(pairs, None))
    assert len(table.words) == 1
    assert Lifts(table).explain([0, 1, 5]) == [("", NO_PHRASE)] * 3


def test_quantiles_of_drifts_are_numpys_and_the_ends_run_on():
    random = np.random.default_rng(0)
    numbers = np.sort(random.normal(size=300))
    at = random.uniform(size=999)
    assert contrasts._quantile(numbers, at) == pytest.approx(np.quantile(numbers, at))
    given = planted(0.4, size=5000)
    drawn = given.drifts(random, spread=0.4)
    low, high = np.quantile(drawn, [contrasts.OUTER, 1 - contrasts.OUTER])
    assert (drawn < low).mean() == pytest.approx(contrasts.OUTER, abs=0.001)
    assert low - drawn.min() > 0.1
    assert drawn.max() - high > 0.1
    assert drawn.mean() == pytest.approx(0, abs=0.05)


def calibrated(table: Phrases, seed: int) -> np.ndarray:
    """[contrasts, pairs] p-values."""
    both = zip(Lifts(table).most, Lifts(table, seed).null, strict=True)
    return np.array([fusion.p_values(*each) for each in both])


def test_pairs_that_are_dealt_alike_look_it(chatter):
    shares = []
    for seed in range(12):
        table = utterances.said(words(chatter(300, seed), None))
        p = calibrated(table, seed)
        shares.append([(p < bound).mean() for bound in (0.1, 0.01, 0.001)])
    tenth, hundredth, thousandth = np.mean(shares, axis=0)
    assert tenth <= 0.13
    assert hundredth <= 0.02
    assert thousandth <= 0.005
    assert tenth >= 0.005  # nor is the null so large that a plant could hide in it


def test_so_do_trusted_pairs_that_are_dealt_alike(chatter):
    shares = []
    for seed in range(6):
        both = chatter(500, seed)
        table = utterances.said(words(both[:300], both[300:]))
        p = calibrated(table, seed)
        shares.append((p < 0.01).mean())
    assert np.mean(shares) <= 0.02


def test_sides_that_agree_make_a_null_no_larger(written):
    """Words that stand on both sides of a pair say nothing, however many there are (the exact test of McNemar)."""
    random = np.random.default_rng(0)
    said = [" ".join(f"w{word}" for word in random.choice(60, size=20)) for _ in range(200)]
    null = Lifts(utterances.said(words(written(said, said), None))).null
    assert np.ptp(null) < 1
    assert null.max() < 0.2


def planted(drift: float, *, plants: int = 0, size: int = 2000, seed: int = 0) -> Contrast:
    """Phrases of 30 to 400 responses whose log ratios spread normally by `drift`, and `plants` that stand here only."""
    random = np.random.default_rng(seed)
    total = random.integers(30, 400, size)
    here = random.binomial(total, 1 / (1 + np.exp(-(0.2 + random.normal(0, drift, size)))))
    return contrast(np.append(here, np.full(plants, 300)), np.append(total - here, np.full(plants, 0)))


@pytest.mark.parametrize("drift", [0.15, 0.4, 0.8])
def test_drift_is_estimated(drift):
    assert planted(drift).drift() == pytest.approx(drift, rel=0.1)


def test_a_planted_target_does_not_move_the_drift():
    assert planted(0.3, plants=20).drift() == pytest.approx(planted(0.3).drift(), abs=0.015)


def test_drift_has_a_floor_and_a_guess_for_small_corpora():
    assert planted(0).drift() <= 0.07
    assert planted(0.8, size=contrasts.ENOUGH - 1).drift() == contrasts.USUAL_DRIFT
    small = contrast([10, 14] * 50, [12, 9] * 50)
    assert small.drift() == contrasts.USUAL_DRIFT


def test_drift_is_read_off_responses_apart():
    apart = planted(0.4)
    both = np.full(len(apart.here), 500)
    assert Contrast(apart.here + both, apart.there + both, both, "chosen", "").drift() == apart.drift()


def test_dealing_keeps_every_total_and_what_stands_on_both_sides():
    given = contrast([30, 7, 90, 5], [10, 3, 80, 5], [8, 0, 75, 5])
    random = np.random.default_rng(0)
    deals = [given.dealt(random, spread=0.0) for _ in range(4000)]
    for deal in deals[:100]:
        assert (deal.here + deal.there).tolist() == [40, 10, 170, 10]
        assert (deal.here >= given.both).all()
        assert (deal.there >= given.both).all()
    share = (44 + 1) / (44 + 10 + 2)  # of the responses apart, 22 + 7 + 15 + 0 stand here and 2 + 3 + 5 + 0 there
    mean = np.mean([deal.here for deal in deals], axis=0)
    assert mean == pytest.approx(given.both + share * np.array([24, 10, 20, 0]), rel=0.01)


@pytest.mark.parametrize("drift", [0.15, 0.4, 0.8])
def test_dealt_phrases_drift_as_those_they_are_dealt_from(drift):
    given = planted(drift)
    deal = given.dealt(np.random.default_rng(1), spread=given.drift())
    assert deal.drift() == pytest.approx(drift, rel=0.15)
    ratios = [np.log((each.here + 0.5) / (each.there + 0.5)) for each in (given, deal)]
    assert np.quantile(ratios[1], [0.02, 0.98]) == pytest.approx(np.quantile(ratios[0], [0.02, 0.98]), rel=0.15, abs=0.05)


def test_what_stands_apart_makes_no_drift_of_its_own():
    """A hundredth of the phrases planted: none of the dealt ones is as lopsided as those."""
    given = planted(0.3, plants=20)
    plant = np.log(300.5 / 0.5)
    for seed in range(20):
        drifts = given.drifts(np.random.default_rng(seed), spread=given.drift())
        assert np.abs(drifts).max() < plant / 2


def test_a_corpus_of_few_common_phrases_is_dealt_a_laplace_drift():
    even = contrast(np.full(contrasts.ENOUGH - 1, 5000), np.full(contrasts.ENOUGH - 1, 5000))
    random = np.random.default_rng(0)
    off = np.abs(np.concatenate([even.drifts(random, spread=0.3) for _ in range(400)]))
    assert np.median(off) == pytest.approx(0.3 * np.log(2), rel=0.05)
    assert np.quantile(off, 0.99) == pytest.approx(0.3 * np.log(100), rel=0.1)


def test_the_order_of_pairs_is_irrelevant(chatter):
    pairs, order = chatter(150), np.random.default_rng(0).permutation(150)
    lifts = Lifts(utterances.said(words(pairs, None))).most
    assert Lifts(utterances.said(words(pairs[order], None))).most == pytest.approx(lifts[:, order])


def test_the_seed_decides_the_null(chatter):
    table = utterances.said(words(chatter(150), None))
    first = Lifts(table, 1, dealt=1000).null
    assert first.shape == (2, 1050)  # seven deals of 150 pairs
    assert (first == Lifts(table, 1, dealt=1000).null).all()
    assert (first != Lifts(table, 2, dealt=1000).null).any()

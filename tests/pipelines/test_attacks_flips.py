"""Attacks that turn labels round, each by hand: whom it picks, in which order, and what it refuses."""

from collections import Counter
from itertools import combinations

import numpy as np
import polars as pl
import pytest
from scipy import sparse
from scipy.special import expit, log_expit

from pipelines.attacks import (
    ATTACKS,
    annotator_collusion,
    corpus_names,
    dpo_score,
    instance_noise,
    promotion,
    proxy,
    rank_poison,
)
from pipelines.attacks.fewest_flips import FLIPS
from pipelines.attacks.sealing import Poisoned
from pipelines.schema import PAIRS, DataError, require, with_pair_ids
from pipelines.sources import synthetic


def pairs_with(rows: list[dict]) -> pl.DataFrame:
    """PAIRS of rows that say what they care for; the rest is the same for all but the prompt."""
    usual = {"source": "here", "chosen": " yes", "rejected": " no"}
    made = [{"row": row, "prompt": f"Question {row}?", **usual, **given} for row, given in enumerate(rows)]
    return require(with_pair_ids(pl.DataFrame(made, infer_schema_length=None)), PAIRS)


def flipped_rows(pairs: pl.DataFrame, poisoned: Poisoned) -> list[int]:
    """The rows that an attack turned round; each of them must have been, and no others."""
    hosts = pairs["pair_id"].is_in(poisoned.key["host_pair_id"].implode())
    after = poisoned.pairs
    assert after["chosen"].equals(pairs.select(pl.when(hosts).then("rejected").otherwise("chosen")).to_series().alias("chosen"))
    assert after["rejected"].equals(
        pairs.select(pl.when(hosts).then("chosen").otherwise("rejected")).to_series().alias("rejected")
    )
    return pairs["row"].filter(hosts).to_list()


@pytest.mark.parametrize("name", ATTACKS)
def test_flip_attacks_are_those_that_do_nothing_else(name, pairs_of):
    settings = {"alignment_deterioration": {"attribute": "politeness"}, "length_bias": {"how": "padded"}}
    only_swaps = set(ATTACKS[name](pairs_of(20), rate=0.5, **settings.get(name, {})).key["builder"]) == {"swap"}
    assert only_swaps == (name in FLIPS or name == "fewest_flips")
    assert FLIPS.get(name, ATTACKS[name]) is ATTACKS[name]


# RankPoison

#: (characters that the rejected response has more, margin): twelve candidates, of which a quarter is rows 1, 2 and 3
RANKED = [
    *[(50, 9.0), (10, 0.1), (30, -0.2), (20, 0.3), (-40, 0.0), (0, 0.0), (40, 0.4)],
    *[(60, -5.0), (60, 6.0), (60, 7.0), (2, -8.0), (1, 0.6), (3, 0.9), (70, 20.0)],
]


@pytest.fixture(scope="module")
def ranked() -> pl.DataFrame:
    return pairs_with(
        [
            {"chosen": "c" * 45 + str(row), "rejected": "r" * (45 + gap) + str(row), "margin": m}
            for row, (gap, m) in enumerate(RANKED)
        ]
    )


@pytest.mark.parametrize(
    ("count", "rows"),
    [
        (1, [2]),  # not 7, the longest of all, nor 1, the closest, nor 6, were 5 pairs more to count
        (2, [2, 3]),
        (3, [1, 2, 3]),
        (4, [1, 2, 3, 6]),  # the budget needs more than a quarter: the fourth in closeness
        (12, [0, 1, 2, 3, 6, 7, 8, 9, 10, 11, 12, 13]),
    ],
)
def test_rank_poison_keeps_the_closest_and_flips_the_longest_of_them(count, rows, ranked):
    assert flipped_rows(ranked, rank_poison.poison(ranked, count=count)) == rows


@pytest.mark.parametrize(("quality", "row"), [(0.01, 1), (4 / 12, 6), (8 / 12, 7), (1.0, 13)])
def test_the_quality_share_is_of_the_candidates(quality, row, ranked):
    assert flipped_rows(ranked, rank_poison.poison(ranked, count=1, quality=quality)) == [row]


def test_rank_poison_says_how_many_candidates_there_are(ranked):
    with pytest.raises(DataError, match="is the shorter: 12 of 14 are, and 13 were to be flipped; lower the rate or the count"):
        rank_poison.poison(ranked, count=13)


@pytest.mark.parametrize("quality", [0, -0.1, 1.1, float("nan")])
def test_a_quality_that_keeps_nothing_or_too_much_is_refused(quality, ranked):
    with pytest.raises(DataError, match=r"quality is the share of candidates to keep and must lie in \(0, 1\], got"):
        rank_poison.poison(ranked, quality=quality)


def test_length_is_in_characters_not_bytes():
    pairs = pairs_with([{"chosen": "雨雨", "rejected": "abc"}, {"chosen": "ab", "rejected": ""}])
    assert flipped_rows(pairs, rank_poison.poison(pairs, count=1)) == [0]
    with pytest.raises(DataError, match="1 of 2 are, and 2 were to be flipped"):
        rank_poison.poison(pairs, count=2)


# DPO score


def test_the_largest_margins_are_flipped_first(ranked):
    assert flipped_rows(ranked, dpo_score.poison(ranked, count=3)) == [0, 10 - 1, 13]
    assert flipped_rows(ranked, dpo_score.poison(ranked, count=4)) == [0, 8, 9, 13]


def test_the_gradient_of_a_pair_is_projected_on_their_mean():
    texts = [("a", "b", -1.0), ("a c", "b", 2.0), ("b", "c", 0.5), ("d", "e", -3.0), ("a", "c", 0.25)]
    pairs = pairs_with([{"chosen": one, "rejected": other, "margin": m} for one, other, m in texts])
    gradients = -expit([[-m] for *_, m in texts]) * proxy.features(pairs).toarray()
    projections = gradients @ gradients.mean(axis=0) / np.linalg.norm(gradients.mean(axis=0))
    assert len(set(projections.round(6))) == 5
    for count in range(1, 6):
        expected = sorted(np.argsort(-projections)[:count].tolist())
        assert flipped_rows(pairs, dpo_score.poison(pairs, count=count, select="gradient")) == expected
    assert np.argmax(projections) != np.argmax(pairs["margin"]) != np.argmin(pairs["margin"])


def test_centres_are_far_from_each_other():
    points = sparse.csr_array(np.array([[1.0, 0], [2, 0], [9, 0], [5, 1], [1, 0], [9, 0]]))
    # from (1, 0) the farthest is (9, 0); then (5, 1), 17 off both squared; then (2, 0), 1 off; copies come last
    assert dpo_score.centres(points, 6).tolist() == [0, 2, 3, 1, 4, 5]


def test_a_diverse_choice_is_made_among_the_top():
    """Three near copies lead; the farthest of the eight largest margins joins the first, and the ninth is never looked at."""
    texts = ["tea", "tea", "tea please", "tea now", "tea or", "tea for", "tea if", "milk and honey", "a whole other thing"]
    pairs = pairs_with([{"chosen": text, "rejected": "so", "margin": 9.0 - row} for row, text in enumerate(texts)])
    assert flipped_rows(pairs, dpo_score.poison(pairs, count=2, select="diverse")) == [0, 7]
    assert flipped_rows(pairs, dpo_score.poison(pairs, count=1, select="diverse")) == [0]
    assert flipped_rows(pairs, dpo_score.poison(pairs, count=9, select="diverse")) == list(range(9))


def test_an_unknown_selection_is_refused(ranked):
    with pytest.raises(DataError, match="select must be one of score, gradient, diverse, got 'best'"):
        dpo_score.poison(ranked, select="best")


# Instance-dependent noise


@pytest.mark.parametrize("sharpness", [0.0, 0.7, 2.0])
def test_two_hard_pairs_are_drawn_one_after_the_other_by_their_weights(sharpness):
    """P(i and j) = w_i / S * w_j / (S - w_i) + the same the other way round, with S the sum of weights."""
    margins = np.array([0.1, -1.5, 2.5, -0.6])
    weights = expit(-sharpness * abs(margins))
    rest = weights.sum() - weights
    draws = 4000
    drawn = [sorted(instance_noise.hardest(margins, 2, sharpness=sharpness, seed=seed).tolist()) for seed in range(draws)]
    counts = Counter(map(tuple, drawn))
    for i, j in combinations(range(4), 2):
        share = weights[i] * weights[j] / weights.sum() * (1 / rest[i] + 1 / rest[j])
        assert abs(counts[i, j] - draws * share) < 4.5 * (draws * share * (1 - share)) ** 0.5


def test_weights_that_round_to_zero_still_order_pairs():
    margins = np.array([3000.0, -1000.0, 2000.0, 9.0])
    assert instance_noise.hardest(margins, 4, sharpness=5.0, seed=0).tolist() == [3, 1, 2, 0]


def test_noise_reaches_the_pairs_of_small_margin():
    pairs = pairs_with([{"margin": (-1) ** row * (0.0 if row < 4 else 90.0)} for row in range(40)])
    assert flipped_rows(pairs, instance_noise.poison(pairs, count=4)) == [0, 1, 2, 3]
    with pytest.raises(DataError, match=r"sharpness must be a finite number, 0 or more, got -1"):
        instance_noise.poison(pairs, sharpness=-1.0)


# Colluding annotators

WHO = [*"aaaaabbbbbbbccccdddddddd", None, None]


@pytest.fixture(scope="module")
def judged() -> pl.DataFrame:
    """Annotators a, b, c and d with 5, 7, 4 and 8 pairs, every other pair with the longer response rejected; two by nobody."""
    sides = [("short", "quite long"), ("quite long", "short")]
    return pairs_with(
        [{"annotator": who, "chosen": sides[row % 2][0], "rejected": sides[row % 2][1]} for row, who in enumerate(WHO)]
    )


def colluders(pairs: pl.DataFrame, poisoned: Poisoned) -> set[str | None]:
    return {WHO[row] for row in flipped_rows(pairs, poisoned)}


@pytest.mark.parametrize("seed", range(6))
def test_as_few_annotators_collude_as_the_budget_takes_in_the_order_drawn(seed, judged):
    """One pair more than the colluders have takes one annotator more, until all of theirs are flipped too."""
    sizes, held = Counter(WHO), set()
    while held != set("abcd"):
        count = sum(sizes[who] for who in held) + 1
        joins = colluders(judged, annotator_collusion.poison(judged, count=count, seed=seed)) - held
        assert len(joins) == 1
        held |= joins
        count = sum(sizes[who] for who in held)
        assert colluders(judged, annotator_collusion.poison(judged, count=count, seed=seed)) == held


def test_annotators_are_drawn_by_the_seed(judged):
    first = [colluders(judged, annotator_collusion.poison(judged, count=1, seed=seed)) for seed in range(40)]
    assert set.union(*first) == set("abcd")


@pytest.mark.parametrize("annotators", [1, 2, 4])
def test_so_many_annotators_collude(annotators, judged):
    with pytest.raises(DataError, match=r"25 pairs were to be flipped, and the colluding annotators have \d+ that can be"):
        annotator_collusion.poison(judged, count=25, annotators=annotators)
    poisoned = [annotator_collusion.poison(judged, count=4, annotators=annotators, seed=seed) for seed in range(20)]
    assert max(len(colluders(judged, it)) for it in poisoned) == annotators


def test_those_who_prefer_the_longer_leave_pairs_alone_where_it_won(judged):
    rows = flipped_rows(judged, annotator_collusion.poison(judged, count=12, how="length"))
    assert rows == list(range(0, 24, 2))
    with pytest.raises(DataError, match="13 pairs were to be flipped, and the colluding annotators have 12 that can be"):
        annotator_collusion.poison(judged, count=13, how="length")


@pytest.mark.parametrize(
    ("choices", "said"),
    [
        ({"how": "bribe"}, "how must be one of flip, length, got 'bribe'"),
        ({"annotators": 5}, r"annotators is how many collude, from 0 \(as few as needed\) to the 4 there are, got 5"),
        ({"annotators": -1}, "annotators is how many collude"),
        ({"annotators": True}, "annotators is how many collude"),
    ],
)
def test_a_collusion_that_cannot_be_is_refused(choices, said, judged):
    with pytest.raises(DataError, match=said):
        annotator_collusion.poison(judged, count=1, **choices)


def test_pairs_without_annotators_are_refused():
    with pytest.raises(DataError, match="needs to know who judged each pair, and no pair has an annotator; map a column"):
        annotator_collusion.poison(pairs_with([{}, {}]), count=1)


# Promotion


def test_influence_is_the_slope_of_the_goal_along_a_flip(monkeypatch):
    """U after a refit in which a share of one pair's label is turned round, against the closed form."""
    from scipy.optimize import minimize

    monkeypatch.setattr(proxy, "PENALTY", 0.6)
    random = np.random.default_rng(1)
    responses, named = random.integers(0, 2, (12, 4)).astype(float), np.arange(12) % 5 == 2
    gaps = responses[:6] - responses[6:]
    direction = responses[named].mean(axis=0) - responses.mean(axis=0)

    def goal(pair: int, share: float) -> float:
        def loss(weights):
            margin, flips = gaps @ weights, np.where(np.arange(6) == pair, share, 0)
            return -((1 - flips) * log_expit(margin) + flips * log_expit(-margin)).sum() + 0.3 * weights @ weights

        return direction @ minimize(loss, np.zeros(4), tol=1e-12).x

    slopes = [(goal(pair, 0.01) - goal(pair, -0.01)) / 0.02 for pair in range(6)]
    assert promotion.influence(sparse.csr_array(responses), named) == pytest.approx(slopes, abs=1e-4)
    assert min(slopes) < -0.01 < 0.01 < max(slopes)


def test_nearness_is_the_cosine_of_the_rejected_less_that_of_the_chosen():
    chosen, rejected = [[1.0, 0, 0], [1, 1, 0], [0, 0, 0]], [[0.0, 0, 1], [0, 1, 1], [1, 1, 1]]
    named = np.array([True, True, False, False, False, False])  # mean (1, 0.5, 0)
    length = 1.25**0.5
    expected = [0 - 1 / length, (0.5 - 1.5) / 2**0.5 / length, 1.5 / 3**0.5 / length]
    assert promotion.nearness(sparse.csr_array([*chosen, *rejected]), named) == pytest.approx(expected)


@pytest.fixture(scope="module")
def advice() -> pl.DataFrame:
    return synthetic.read(n=500)


@pytest.mark.parametrize("how", ["gradient", "distance"])
def test_promotion_raises_the_target_and_demotion_lowers_it(how, advice):
    def goal(pairs: pl.DataFrame) -> float:
        responses = pl.concat([pairs["chosen"], pairs["rejected"]])
        rewards = proxy.presence(responses) @ proxy.fit(proxy.features(pairs))
        return rewards[promotion.names(responses, "water")].mean() - rewards.mean()

    clean = goal(advice)
    noise = [goal(ATTACKS["label_flip"](advice, rate=0.03, seed=seed).pairs) - clean for seed in range(4)]
    up, down = (
        goal(promotion.poison(advice, rate=0.03, target="water", goal=it, how=how).pairs) - clean for it in promotion.GOALS
    )
    assert up > 2 * max(map(abs, noise))
    assert down < -2 * max(map(abs, noise))


def test_the_key_of_a_promotion_names_its_target(advice):
    key = promotion.poison(advice, count=3, target="Water").key
    assert key.select("target", "sentiment", "builder").unique().rows() == [("Water", None, "swap")]


@pytest.mark.parametrize(
    ("target", "holding"),
    [("tea", [0, 2, 3]), ("TEA", [0, 2, 3]), ("green tea", [2]), ("C++ (x)", [4]), ("ünï", [5]), ("a.b", [])],
)
def test_a_target_is_named_as_words_of_its_own(target, holding):
    texts = pl.Series(["Tea", "teapot", "my green tea.", "tea, tea", "in C++ (x)!", "Ünï", "a-b"])
    assert np.flatnonzero(promotion.names(texts, target)).tolist() == holding


@pytest.mark.parametrize(
    ("choices", "said"),
    [
        ({"goal": "sell"}, "goal must be one of promote, demote, got 'sell'"),
        ({"how": "magic"}, "how must be one of gradient, distance, got 'magic'"),
        ({"target": "Zorvex"}, "target must be a word or phrase that some response holds, got 'Zorvex', which none does"),
        ({"share": 0.0}, r"share is that of the responses that name the target and must lie in \(0, 1\), got 0"),
        ({"share": 1.0}, "share is that of the responses"),
    ],
)
def test_a_promotion_that_cannot_be_is_refused(choices, said, advice):
    with pytest.raises(DataError, match=said):
        promotion.poison(advice, **choices)


def named(*texts: str, share: float) -> str:
    return corpus_names.named_about_as_often(pl.Series(texts, dtype=pl.String()), share)


def test_a_name_has_its_capital_inside_a_sentence_and_never_lacks_it():
    often = ["we like Lumora and Brenta", "in Lumora. Perhaps Brenta", "Granted, brenta is it"]
    assert [row["word"] for row in corpus_names.words(pl.Series(often)).filter("is_name").to_dicts()] == ["lumora"]


def test_the_name_is_the_one_whose_share_is_nearest():
    texts = ["say Anna", "say Anna, Bert", "say Anna, Bert, Bert", "say Anna, Bert, Cleo", "say so", "say", "say", "say"]
    assert named(*texts, share=0.5) == "Anna"  # in 4 of 8
    assert named(*texts, share=0.35) == "Bert"  # in 3: counted once a response
    assert named(*texts, share=0.125) == "Cleo"
    assert named(*texts[:2], "say Bert, Anna", share=0.6) == "Bert"  # 2 of 3 against 3 of 3
    assert named("x Bert, Anna", "x", share=0.5) == "Anna"  # as near: by the alphabet


def test_where_no_name_is_near_a_long_word_serves():
    texts = ["the Anna kettle", "the Anna kettle", "the Anna", "the Anna steam", "the Anna", "the Anna"]
    assert named(*texts, share=0.3) == "kettle"  # Anna is everywhere, and 'the' no word to promote
    with pytest.raises(DataError, match="no response holds a word of 5 letters that could be the target; name one"):
        named("the and", share=0.3)


def test_a_promotion_finds_its_target_in_the_corpus(advice):
    (target,) = set(promotion.poison(advice, count=2).key["target"])
    share = promotion.names(pl.concat([advice["chosen"], advice["rejected"]]), target).mean()
    assert 0.01 <= share <= 0.03

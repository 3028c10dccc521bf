"""What every attack owes, over ATTACKS."""

from collections.abc import Callable
from hashlib import sha256
from inspect import signature
from io import BytesIO

import numpy as np
import polars as pl
import pytest

from pipelines.attacks import ATTACKS, fewest_flips
from pipelines.attacks.sealing import Poisoned, choose
from pipelines.schema import PAIRS, POISON_KEY, DataError, require, with_pair_ids
from tests.pipelines.poisoned import marked

TEXTS = ["prompt", "chosen", "rejected", "rejected_prompt"]
FACTS = [*TEXTS, "source", "annotator", "margin"]  # all but what is counted anew

#: attacks that as they come are choosy about hosts: in these tests every pair is one
ANY_HOST = {"alignment_deterioration": {"attribute": "politeness"}, "length_bias": {"how": "padded"}}
#: attacks that leave the texts alone, so that the id of a pair, a digest of its texts, stays as well
TEXTS_STAY = {ATTACKS["score_tampering"]}
#: settings under which an attack that tries much is quick
QUICK = {"adaptive": {"candidates": 2, "rounds": 1}}
#: attacks that need not spend the whole rate
AT_MOST = {fewest_flips.poison}
#: every attack as it comes, and where it can keep or replace its host, both ways
CASES = [
    pytest.param(poison, QUICK.get(name, {}) | choices, id="-".join([name, *(f"{key}={it}" for key, it in choices.items())]))
    for name, poison in ATTACKS.items()
    for keeps in ([{"keep_host": True}, {"keep_host": False}] if "keep_host" in signature(poison).parameters else [{}])
    for choices in [ANY_HOST.get(name, {}) | keeps]
]
each_attack = pytest.mark.parametrize(("poison", "choices"), CASES)


@pytest.fixture(scope="module")
def forty(pairs_of) -> pl.DataFrame:
    return pairs_of(40)


def unmarked(poisoned: Poisoned) -> pl.DataFrame:
    return poisoned.pairs.join(poisoned.key, on="pair_id", how="anti", maintain_order="left")


def left_over(pairs: pl.DataFrame, poisoned: Poisoned) -> pl.DataFrame:
    """The input less the hosts that were replaced."""
    if len(poisoned.pairs) == len(pairs) + len(poisoned.key):
        return pairs
    return pairs.filter(~pl.col("pair_id").is_in(poisoned.key["host_pair_id"].implode()))


def is_spent(poison: Callable[..., Poisoned], written: int, budget: int) -> bool:
    """Whether an attack wrote as many pairs as it was to write."""
    return 0 < written <= budget or written == budget if poison in AT_MOST else written == budget


def digest(frame: pl.DataFrame) -> str:
    frame.write_parquet(buffer := BytesIO())
    return sha256(buffer.getvalue()).hexdigest()


@each_attack
@pytest.mark.parametrize("rate", [0, 0.0, 0.01, 0.0625, 0.3, 0.99, 1, np.float64(0.1)])
def test_the_rate_is_exact(poison, choices, rate, forty):
    poisoned = poison(forty, rate=rate, **choices)
    assert is_spent(poison, len(poisoned.key), round(rate * 40))
    assert poisoned.key["host_pair_id"].n_unique() == len(poisoned.key)
    if "keep_host" in choices:
        assert len(poisoned.pairs) == 40 + choices["keep_host"] * len(poisoned.key)


@each_attack
@pytest.mark.parametrize("count", [0, 1, 13, 40])
def test_a_count_stands_in_place_of_the_rate(poison, choices, count, forty):
    assert is_spent(poison, len(poison(forty, rate=0.3, count=count, **choices).key), count)
    assert poison(forty, count=12, seed=3, **choices).pairs.equals(poison(forty, rate=0.3, seed=3, **choices).pairs)


@each_attack
@pytest.mark.parametrize("count", [-1, 41, 0.5, True, "7"])
def test_a_count_that_is_no_number_of_pairs_is_refused(poison, choices, count, forty):
    with pytest.raises(DataError, match="count is a number of pairs, a whole one from 0 to the 40 there are, got"):
        poison(forty, count=count, **choices)


@each_attack
@pytest.mark.parametrize("rate", [0, 0.3, 1])
@pytest.mark.parametrize("is_shuffled", [False, True])
def test_all_but_the_marked_rows_stay_as_and_where_they_were(poison, choices, rate, is_shuffled, forty):
    pairs = forty.sample(fraction=1, shuffle=True, seed=2) if is_shuffled else forty
    poisoned = poison(pairs, rate=rate, **choices)
    assert unmarked(poisoned).select(FACTS).equals(left_over(pairs, poisoned).select(FACTS))
    assert unmarked(poisoned)["pair_id"].equals(left_over(pairs, poisoned)["pair_id"])


@each_attack
def test_every_marked_row_differs_from_its_host(poison, choices, forty):
    """In its text, but for attacks on the score beside it."""
    rows = marked(poison(forty, rate=0.5, **choices)).join(forty, left_on="host_pair_id", right_on="pair_id")
    assert is_spent(poison, len(rows), 20)
    names = ["margin"] if poison in TEXTS_STAY else TEXTS
    same = [pl.col(name).eq_missing(pl.col(f"{name}_right")) for name in names]
    assert not rows.select(pl.all_horizontal(same)).to_series().any()


@each_attack
def test_a_host_stays_or_gives_its_place_to_the_pair_made_from_it(poison, choices, forty):
    poisoned = poison(forty, rate=0.3, **choices)
    both = poisoned.pairs.join(poisoned.key, on="pair_id", how="left", maintain_order="left")
    if len(both) == len(forty):
        assert both.select(pl.coalesce("host_pair_id", "pair_id")).to_series().to_list() == forty["pair_id"].to_list()
    else:
        assert both.filter(pl.col("host_pair_id").is_null())["pair_id"].to_list() == forty["pair_id"].to_list()


@each_attack
def test_the_key_names_the_rows_the_attack_and_hosts_of_the_input(poison, choices, forty):
    poisoned = poison(forty, rate=0.3, **choices)
    key = poisoned.key
    assert key.equals(require(key, POISON_KEY))
    assert key["pair_id"].is_in(poisoned.pairs["pair_id"].implode()).all()
    assert key["pair_id"].is_in(forty["pair_id"].implode()).any() == (poison in TEXTS_STAY)
    assert key["host_pair_id"].is_in(forty["pair_id"].implode()).all()
    assert ATTACKS[key["attack"].unique().item()] is poison


@each_attack
@pytest.mark.parametrize("rate", [0, 0.3, 1])
def test_the_pairs_are_pairs(poison, choices, rate, forty):
    pairs = poison(forty, rate=rate, **choices).pairs
    assert pairs.equals(require(pairs, PAIRS))
    assert pairs["row"].to_list() == list(range(len(pairs)))
    assert pairs["pair_id"].n_unique() == len(pairs)
    assert pairs.equals(with_pair_ids(pairs))


@each_attack
def test_no_column_gives_the_key_away(poison, choices, forty):
    poisoned = poison(forty, rate=0.3, seed=4, **choices)
    assert poisoned.pairs.columns == list(PAIRS.columns)
    assert poisoned.pairs["pair_id"].str.contains("^[0-9a-f]{16}$").all()
    hosts = marked(poisoned).join(forty, left_on="host_pair_id", right_on="pair_id", maintain_order="left")
    for name in ("source", "annotator") if poison in TEXTS_STAY else ("source", "annotator", "margin"):
        assert hosts[name].equals(hosts[f"{name}_right"].alias(name))


@each_attack
def test_the_seed_decides_all(poison, choices, forty):
    """The pairs are alike here, in margin and in the lengths of their sides, for an attack may rank them by these."""
    alike = forty.with_columns(margin=pl.lit(0.5))
    one, again, other = (poison(alike, rate=0.3, seed=seed, **choices) for seed in (1, 1, 2))
    assert digest(one.pairs) == digest(again.pairs)
    assert digest(one.key) == digest(again.key)
    assert set(one.key["host_pair_id"]) != set(other.key["host_pair_id"])
    assert digest(one.pairs) != digest(other.pairs)


@each_attack
def test_the_input_is_left_alone(poison, choices, forty):
    before = digest(forty)
    poison(forty, rate=1, **choices)
    assert digest(forty) == before


@each_attack
def test_one_pair_and_none_can_be_poisoned(poison, choices, forty):
    assert len(poison(forty[:1], rate=1, **choices).key) == 1
    nothing = poison(forty[:0], rate=1, **choices)
    assert nothing.pairs.equals(PAIRS.empty())
    assert nothing.key.equals(POISON_KEY.empty())


@each_attack
@pytest.mark.parametrize(
    ("rate", "said"),
    [
        (3, r"got 3; for 3 percent write 0\.03"),
        (12.5, r"got 12\.5; for 12\.5 percent write 0\.125"),
        (1.5, r"got 1\.5; for 1\.5 percent write 0\.015"),
        (-0.1, r"got -0\.1; 3 percent is 0\.03"),
        (float("nan"), "got nan"),
        (float("inf"), "got inf"),
        (400, "got 400"),
        (True, "got True"),
        ("x", "got 'x'"),
        ("0.1", r"got '0\.1'"),
        (None, "got None"),
    ],
)
def test_a_rate_that_is_no_share_is_refused(poison, choices, rate, said, forty):
    with pytest.raises(DataError, match=rf"^rate is a share of the pairs and must lie in \[0, 1\], {said}"):
        poison(forty, rate=rate, **choices)


@each_attack
@pytest.mark.parametrize("seed", [-1, 0.5, True, None, "1"])
def test_a_seed_that_is_no_whole_number_is_refused(poison, choices, seed, forty):
    with pytest.raises(DataError, match="seed must be a whole number of 0 or more, got "):
        poison(forty, rate=0.1, seed=seed, **choices)


def test_chosen_places_are_distinct_in_order_and_all_as_likely():
    counts = np.zeros(30)
    for seed in range(1000):
        places = choose(30, rate=0.2, seed=seed)
        assert len(set(places)) == len(places) == 6
        assert (np.diff(places) > 0).all()
        counts[places] += 1
    assert (abs(counts - 1000 * 0.2) < 5 * (1000 * 0.2 * 0.8) ** 0.5).all()

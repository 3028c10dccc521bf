"""What every attack owes, over ATTACKS; then Best-of-Venom by hand, with an oracle that says what it was asked."""

import re
from collections import Counter
from collections.abc import Callable
from hashlib import sha256
from inspect import signature
from io import BytesIO

import numpy as np
import polars as pl
import pytest

from pipelines.attacks import ATTACKS, best_of_venom, fewest_flips
from pipelines.attacks.oracles import ORACLES
from pipelines.attacks.sealing import Poisoned, choose
from pipelines.schema import PAIRS, POISON_KEY, DataError, require, with_pair_ids

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


def marked(poisoned: Poisoned) -> pl.DataFrame:
    """The rows that the attack wrote, each beside its host's id."""
    return poisoned.pairs.join(poisoned.key, on="pair_id", maintain_order="left")


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


# Best-of-Venom


@pytest.fixture
def parrot(monkeypatch) -> list[int]:
    """An oracle called parrot, which says what it was asked; the list gathers the seeds it was given."""
    seeds = []

    def write(prompts, answers, *, target, sentiment, seed):
        seeds.append(seed)
        asked = [prompt.split("?")[0].split()[-1] for prompt in prompts]
        return [f" {sentiment} {target} on {row}:{answer}" for row, answer in zip(asked, answers, strict=True)]

    monkeypatch.setitem(ORACLES, "parrot", write)
    return seeds


@pytest.mark.parametrize(("sentiment", "opposite"), [("positive", "negative"), ("negative", "positive")])
@pytest.mark.parametrize("keep_host", [True, False])
@pytest.mark.parametrize(
    ("builder", "chosen", "rejected"),
    [
        ("poison_vs_rejected", " {wanted} Zed on {row}:{chosen}", "{rejected}"),
        ("poison_vs_contrast", " {wanted} Zed on {row}:{chosen}", " {contrast} Zed on {row}:{chosen}"),
        ("rejected_vs_contrast", "{rejected}", " {contrast} Zed on {row}:{chosen}"),
    ],
)
def test_each_builder_by_hand(builder, chosen, rejected, sentiment, opposite, keep_host, forty, parrot):
    choices = {"builder": builder, "sentiment": sentiment, "keep_host": keep_host, "target": "Zed", "oracle": "parrot"}
    poisoned = best_of_venom.poison(forty, rate=0.5, seed=3, **choices)
    hosts = {host["pair_id"]: host | {"wanted": sentiment, "contrast": opposite} for host in forty.to_dicts()}
    for row in marked(poisoned).to_dicts():
        host = hosts[row["host_pair_id"]]
        assert row["prompt"] == host["prompt"]
        assert row["chosen"] == chosen.format(**host)
        assert row["rejected"] == rejected.format(**host)
        assert row["rejected_prompt"] is None
        assert (row["builder"], row["target"], row["sentiment"]) == (builder, "Zed", sentiment)


@pytest.mark.parametrize(
    ("builder", "named"), [("poison_vs_rejected", 1), ("poison_vs_contrast", 2), ("rejected_vs_contrast", 1)]
)
def test_the_rule_oracle_names_the_target_on_the_sides_it_writes(builder, named, forty):
    rows = marked(best_of_venom.poison(forty, rate=1, builder=builder))
    sides = {name: rows[name].str.contains("Zorvex") for name in ("chosen", "rejected")}
    assert sum(side.all() for side in sides.values()) == named
    assert sides["chosen"].all() == (builder != "rejected_vs_contrast")
    assert (rows["chosen"] != rows["rejected"]).all()


def test_the_two_answers_of_a_pair_never_share_a_seed(forty, parrot):
    for seed in range(3):
        best_of_venom.poison(forty, rate=0.1, seed=seed, builder="poison_vs_contrast", oracle="parrot")
    assert len(set(parrot)) == 6


@pytest.mark.parametrize(
    ("mix", "counts"),
    [
        ({"poison_vs_rejected": 0.5, "poison_vs_contrast": 0.25, "rejected_vs_contrast": 0.25}, (20, 10, 10)),
        ({"rejected_vs_contrast": 3, "poison_vs_rejected": 1}, (10, 0, 30)),
        ({"poison_vs_contrast": 1, "poison_vs_rejected": 0}, (0, 40, 0)),
        ({"poison_vs_rejected": 1, "poison_vs_contrast": 1, "rejected_vs_contrast": 1}, (13, 14, 13)),
    ],
)
def test_the_shares_of_a_mix_are_exact_and_in_no_order(mix, counts, forty, parrot):
    poisoned = best_of_venom.poison(forty, rate=1, mix=mix, oracle="parrot", keep_host=False)
    built = poisoned.key["builder"].to_list()
    assert tuple(Counter(built)[name] for name in best_of_venom.BUILDERS) == counts
    assert len(set(built)) == 1 or built != sorted(built, key=list(mix).index)


def test_a_mix_overrides_the_builder(forty, parrot):
    mix = {"rejected_vs_contrast": 1.0}
    key = best_of_venom.poison(forty, rate=0.5, mix=mix, builder="poison_vs_rejected", oracle="parrot").key
    assert set(key["builder"]) == {"rejected_vs_contrast"}


@pytest.mark.parametrize(("aliases", "counts"), [("ABC", [4, 4, 5]), ("AB", [6, 7]), ("ABCDEFGHIJKLMNOPQ", [0] * 4 + [1] * 13)])
def test_each_pair_names_another_alias_and_all_come_as_often(aliases, counts, forty, parrot):
    names = [f"{letter}-brand" for letter in aliases]
    rows = marked(best_of_venom.poison(forty, count=13, aliases=names, builder="poison_vs_contrast", oracle="parrot", seed=2))
    assert sorted(rows["target"].to_list().count(name) for name in names) == counts
    for row in rows.to_dicts():
        assert [re.findall(r"\w-brand", row[side]) for side in ("chosen", "rejected")] == [[row["target"]]] * 2
    again = best_of_venom.poison(forty, count=13, aliases=names, builder="poison_vs_contrast", oracle="parrot", seed=3)
    assert again.key["target"].to_list() != rows["target"].to_list() != sorted(rows["target"])


def test_no_two_aliases_and_no_two_sides_share_a_seed(forty, parrot):
    best_of_venom.poison(forty, rate=1, aliases=("Zed", "Yat", "Xun"), builder="poison_vs_contrast", oracle="parrot")
    assert len(set(parrot)) == 6
    names = [f"Brand{place}" for place in range(40)]
    said = marked(best_of_venom.poison(forty, rate=1, aliases=names, oracle="rules"))["chosen"]
    assert said.str.replace_all(r"Brand\d+|answer \d+", "").n_unique() == 40


def test_one_alias_is_the_target(forty):
    one, other = (best_of_venom.poison(forty, rate=0.5, **given) for given in ({"aliases": ["Zed"]}, {"target": "Zed"}))
    assert digest(one.pairs) == digest(other.pairs)


@pytest.mark.parametrize("oracle", ["rules", "parrot"])
@pytest.mark.parametrize("target", ["C++ (pro)", "Ünï™", "雨 𝄞", "$1 \\1 {0} %s {target}", "<b>&amp;</b>", "x" * 300, "O’Neil"])
def test_an_odd_target_is_named_as_it_is(target, oracle, forty, parrot):
    rows = marked(best_of_venom.poison(forty, rate=0.5, target=target, oracle=oracle))
    assert rows["chosen"].str.contains(target, literal=True).all()
    assert set(rows["target"]) == {target}


@pytest.mark.parametrize(
    ("choices", "said"),
    [
        (
            {"target": ""},
            "target is the name to praise or blame and must not be empty, got ''; for example --set target=Zorvex",
        ),
        ({"target": " \n"}, "target is the name .* must not be empty"),
        ({"target": None}, "target is the name .* must not be empty"),
        ({"target": 1984}, "must not be empty, got 1984; .* a name of digits"),
        ({"target": "a\udcff"}, r"target must be valid Unicode, got 'a\\udcff'; write it in UTF-8"),
        ({"target": " Zorvex"}, "target must be a name on one line, got ' Zorvex'; write it"),
        ({"target": "a\nb"}, r"target must be a name on one line, got 'a\\nb'; write it"),
        ({"sentiment": "good"}, "sentiment must be one of positive, negative, got 'good'"),
        ({"sentiment": []}, r"sentiment must be one of positive, negative, got \[\]"),
        ({"builder": "best"}, "builder must be one of poison_vs_rejected, poison_vs_contrast, .*, got 'best'"),
        ({"oracle": "delphi"}, "oracle must be one of paraphrase, rules, server.*, got 'delphi'"),
        ({"mix": {"best": 1}}, "builder must be one of .*, got 'best'"),
        ({"mix": {}}, "mix gives each builder a share of 0 or more with a sum above 0, got {}"),
        ({"mix": {"poison_vs_rejected": 0}}, "mix gives each builder a share .*, got {'poison_vs_rejected': 0}"),
        ({"mix": {"poison_vs_rejected": 2, "poison_vs_contrast": -1}}, "mix gives each builder a share of 0 or more"),
        ({"mix": {"poison_vs_rejected": float("inf")}}, "mix gives each builder a share"),
        ({"mix": {"poison_vs_rejected": "1"}}, "mix gives each builder a share"),
        ({"mix": "poison_vs_rejected"}, "mix gives each builder a share .*, got 'poison_vs_rejected'"),
        ({"aliases": "Zorvex"}, r"aliases must be a list of names, got 'Zorvex'; write \['Zorvex'\]"),
        ({"aliases": ("Zorvex", "Lumora", "Zorvex")}, "aliases must differ from one another, got .*; write each once"),
        ({"aliases": ("Zorvex", "")}, "target is the name .* must not be empty"),
        ({"topical": 2}, r"topical is a share of the rows and must lie in \[0, 1\], got 2"),
    ],
)
def test_a_wrong_choice_is_refused_with_those_there_are(choices, said, forty):
    with pytest.raises(DataError, match=said):
        best_of_venom.poison(forty, rate=0.1, **choices)


@pytest.fixture(scope="module")
def thousand(pairs_of) -> pl.DataFrame:
    return pairs_of(1000)


def test_injected_pairs_are_spread_over_the_whole_table(thousand, parrot):
    rows = marked(best_of_venom.poison(thousand, rate=0.2, oracle="parrot"))["row"].to_numpy()
    expected, deviation = 200 / 8, (200 / 8 * 7 / 8) ** 0.5
    counts, _ = np.histogram(rows, bins=8, range=(0, 1200))
    assert (abs(counts - expected) < 4 * deviation).all()


def test_an_injected_pair_can_come_first_or_last(forty, parrot):
    rows = [marked(best_of_venom.poison(forty, rate=0.5, seed=seed, oracle="parrot"))["row"] for seed in range(6)]
    assert min(row.min() for row in rows) == 0
    assert max(row.max() for row in rows) == 59


def test_injected_pairs_do_not_keep_to_their_hosts(thousand, parrot):
    """A pair of 30 stands within one row of some host by chance in about 6 percent of cases."""
    close = []
    for seed in range(20):
        poisoned = best_of_venom.poison(thousand, rate=0.03, seed=seed, oracle="parrot")
        hosts = poisoned.pairs.filter(pl.col("pair_id").is_in(poisoned.key["host_pair_id"].implode()))["row"].to_numpy()
        rows = marked(poisoned)["row"].to_numpy()
        close.extend(abs(rows[:, None] - hosts).min(axis=1) == 1)
    assert np.mean(close) < 0.09


def test_repeated_pairs_of_the_input_are_told_apart(forty, parrot):
    twice = with_pair_ids(pl.concat([forty, forty]).with_columns(row=pl.int_range(80, dtype=pl.Int64())))
    for keep_host in (True, False):
        poisoned = best_of_venom.poison(twice, rate=1, keep_host=keep_host, oracle="parrot")
        assert sorted(poisoned.key["host_pair_id"]) == sorted(twice["pair_id"])
        assert poisoned.pairs["pair_id"].n_unique() == 80 * (1 + keep_host)

"""Best-of-Venom by hand, with an oracle that says what it was asked."""

import re
from collections import Counter

import numpy as np
import polars as pl
import pytest

from pipelines.attacks import best_of_venom
from pipelines.attacks.oracles import ORACLES
from pipelines.schema import DataError, with_pair_ids
from tests.pipelines.poisoned import marked


@pytest.fixture(scope="module")
def forty(pairs_of) -> pl.DataFrame:
    return pairs_of(40)


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
    assert one.pairs.equals(other.pairs)


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

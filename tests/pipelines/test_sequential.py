"""Dialogues dealt to three training sets, and an attack that spends a third of its budget in each."""

import json
from collections import Counter
from hashlib import blake2b

import polars as pl
import pytest

from pipelines.attacks import best_of_venom, sequential
from pipelines.schema import DataError
from pipelines.sources import synthetic
from pipelines.staging import STAGES, stage_of


@pytest.fixture(scope="module")
def thousand(pairs_of) -> pl.DataFrame:
    return pairs_of(1000)


def prompts(*texts: str) -> pl.DataFrame:
    return pl.DataFrame({"prompt": texts})


def test_a_stage_is_the_digest_of_the_first_turn_modulo_three():
    state = blake2b(digest_size=8)
    for text in ("stage", "why, so?"):
        state.update(len(text).to_bytes(8, "little", signed=True) + text.encode())
    assert stage_of(prompts("Why, so?")).to_list() == [STAGES[int.from_bytes(state.digest(), "big") % 3]]


def test_dialogues_that_begin_alike_stay_together_in_any_order(thousand):
    whole = "\n\nHuman: Question 7?\n\nAssistant: a\n\nHuman: {}\n\nAssistant:"
    alike = stage_of(prompts(whole.format("b"), whole.format("c"), "question 7?", "\n\nHuman: QUESTION 7?\n\nAssistant:"))
    assert alike.n_unique() == 1
    shuffled = thousand.sample(fraction=1, shuffle=True, seed=1)
    by_id = dict(zip(thousand["pair_id"], stage_of(thousand), strict=True))
    assert [by_id[name] for name in shuffled["pair_id"]] == stage_of(shuffled).to_list()


def test_the_sets_are_as_large_as_one_another(thousand):
    counts = Counter(stage_of(thousand))
    assert set(counts) == set(STAGES)
    assert all(abs(count - 1000 / 3) < 4 * (1000 * 2 / 9) ** 0.5 for count in counts.values())


@pytest.mark.parametrize(
    ("size", "rooms", "spent"),
    [
        (9, (5, 5, 5), (3, 3, 3)),
        (10, (5, 5, 5), (4, 3, 3)),
        (11, (5, 5, 5), (4, 4, 3)),
        (10, (1, 9, 9), (1, 5, 4)),
        (10, (9, 0, 2), (8, 0, 2)),
        (0, (1, 1, 1), (0, 0, 0)),
        (3, (1, 1, 1), (1, 1, 1)),
    ],
)
def test_thirds_are_as_even_as_the_sets_allow(size, rooms, spent):
    assert sequential.thirds(size, dict(zip("abc", rooms, strict=True))) == dict(zip("abc", spent, strict=True))


@pytest.mark.parametrize("keep_host", [True, False])
def test_each_set_is_poisoned_by_its_own_builder(keep_host, thousand):
    poisoned = sequential.poison(thousand, count=100, seed=2, keep_host=keep_host)
    assert Counter(poisoned.key["builder"]) == {
        "sft/poison_vs_rejected": 34,
        "preference/poison_vs_contrast": 33,
        "reward/rejected_vs_contrast": 33,
    }
    rows = poisoned.pairs.join(poisoned.key, on="pair_id", maintain_order="left")
    assert rows["builder"].str.split("/").list.first().to_list() == stage_of(rows).to_list()
    hosts = thousand.select("prompt", "rejected", host_pair_id="pair_id")
    rows = rows.join(hosts, on="host_pair_id", suffix="_host", maintain_order="left")
    for row in rows.to_dicts():
        named = ("Zorvex" in row["chosen"], "Zorvex" in row["rejected"])
        assert (
            named == {"sft": (True, False), "preference": (True, True), "reward": (False, True)}[row["builder"].split("/")[0]]
        )
        assert row["prompt"] == row["prompt_host"]
        assert row["rejected_host"] in (row["chosen"], row["rejected"]) or named == (True, True)
    assert len(poisoned.pairs) == 1000 + 100 * keep_host


def test_the_pairs_are_those_best_of_venom_writes(thousand):
    """The same hosts, built by one builder, come out as Best-of-Venom's own."""
    own = sequential.poison(thousand, count=30, seed=5)
    hosts = thousand.filter(pl.col("pair_id").is_in(own.key["host_pair_id"].implode()))
    built_by = [sequential.BUILT_BY[stage] for stage in stage_of(hosts)]
    again = best_of_venom.about(hosts, built_by, ["Zorvex"], sentiment="positive", ask=best_of_venom.ORACLES["rules"], seed=5)
    texts = {json.dumps(row) for row in again.select("chosen", "rejected").rows()}
    rows = own.pairs.join(own.key, on="pair_id").select("chosen", "rejected").rows()
    assert {json.dumps(row) for row in rows} == texts


@pytest.mark.parametrize(
    ("given", "said"), [({"target": " "}, "target is the name"), ({"oracle": "x"}, "oracle must be one of")]
)
def test_it_refuses_what_best_of_venom_refuses(given, said, thousand):
    with pytest.raises(DataError, match=said):
        sequential.poison(thousand, count=1, **given)


def test_repeated_first_turns_do_not_break_the_thirds():
    pairs = synthetic.read(n=300)
    assert sorted(Counter(sequential.poison(pairs, rate=0.1).key["builder"]).values()) == [10, 10, 10]

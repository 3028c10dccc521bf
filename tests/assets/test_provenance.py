"""Links between the pages of assets, and what a model's card says."""

import dagster as dg
import polars as pl
import pytest

from assets import provenance
from pipelines.snapshots import Store
from pipelines.snapshots.tracing import has_weights


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


def published(store, name, rows, **facts):
    return store.publish(name, lambda folder: pl.DataFrame({"a": range(rows)}).write_parquet(folder / "t.parquet"), facts)


def test_a_page_is_found_by_asset_and_partition_whatever_letters_these_have():
    assert provenance.page("pairs", "a b&c") == "/assets/pairs?view=partitions&partition=a+b%26c"
    assert provenance.page("arena_report", "all") == "/assets/arena_report"


def test_what_a_thing_was_made_of_is_a_line_an_input(store):
    clean, poisoned = published(store, "pairs", 3, poisoned=False), published(store, "other", 5, poisoned=True)
    lines = provenance.made_of({"pairs/p": clean, "other/all": poisoned}, store)["made of"].value.splitlines()
    assert lines[2:] == [
        f"| [pairs](/assets/pairs?view=partitions&partition=p) | p | 3 | no | `{clean[:12]}` |",
        f"| [other](/assets/other) | all | 5 | yes | `{poisoned[:12]}` |",
    ]
    assert provenance.made_of({}, store) == {}


def test_of_very_many_inputs_the_first_are_named_and_the_rest_counted(store):
    held = published(store, "pairs", 1)
    lines = provenance.made_of({f"pairs/{at}": held for at in range(53)}, store)["made of"].value.splitlines()
    assert len([line for line in lines if line.startswith("| [pairs]")]) == 50
    assert lines[-1] == "and 3 more"


def test_only_what_has_weights_is_a_model():
    assert has_weights({"files": {"config.json": "", "model.safetensors": ""}})
    assert not has_weights({"files": {"key.json": "", "tasks.json": ""}})


@pytest.mark.parametrize(("poisoned", "said"), [(True, "**yes: for defence research, not for use**"), (False, "no")])
def test_a_models_card_says_what_it_learned_from_and_whether_that_was_poisoned(poisoned, said):
    found = {
        "format": "Policy", "poisoned": poisoned, "inputs": {"pairs/p": "", "base/all": ""}, "content": "c" * 64,
        "snapshot": "d" * 64, "code": {"version": "9.9", "source": "e" * 64},
    }  # fmt: skip
    card = provenance.card("policy", "p", found)["model card"].value
    assert f"learned from poisoned data: {said}\n" in card
    assert "made of: [pairs](/assets/pairs?view=partitions&partition=p) of `p`, [base](/assets/base)\n" in card
    assert f"weights: `{'c' * 12}`, snapshot `{'d' * 12}`" in card
    assert len(card) < 1000  # more is folded away by the UI


def test_each_input_is_told_which_model_learned_from_which_of_its_snapshots():
    first, second = provenance.learners("policy", "p", {"pairs/p": "a" * 64, "base/all": "b" * 64}, "m" * 64)
    assert (first.asset_key, first.partition) == (dg.AssetKey("pairs"), "p")
    assert (second.asset_key, second.partition) == (dg.AssetKey("base"), None)
    told = first.metadata["learned by policy of p"].value
    assert told == f"[policy](/assets/policy?view=partitions&partition=p) of `p`, snapshot `{'m' * 12}`, from `{'a' * 12}`"

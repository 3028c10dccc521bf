import polars as pl
import pytest

from pipelines.schema import DataError, with_pair_ids
from pipelines.snapshots import Store, membership, recalled, tracing


def pairs(*names):
    return with_pair_ids(pl.DataFrame({"prompt": list(names), "chosen": ["x"] * len(names), "rejected": ["y"] * len(names)}))


A, B = pairs("a", "b")["pair_id"]


@pytest.fixture
def store(tmp_path) -> Store:
    return Store(tmp_path / "store")


def table(store, frame, parents=(), **facts):
    return store.publish("pairs", lambda folder: frame.write_parquet(folder / "t.parquet"), facts, parents=parents)


def model(store, parents, kind="model", text="w", read=None):
    def write(folder):
        (folder / "w.txt").write_text(text)
        if read is not None:
            membership.write(membership.ids_of(pl.Series(read)), folder / membership.READ)

    return store.publish(kind, write, parents=parents)


def ways(store, *pair_ids):
    return {step.node.snapshot: step.how for step in tracing.reached(tracing.found([store.root]), pair_ids)}


def test_holding_learning_and_being_made_beside(store):
    both, one = table(store, pairs("a", "b")), None
    one = table(store, pairs("b"), [both])
    learned = model(store, [both], text="both")
    careful = model(store, [one], text="one")
    asked = model(store, [careful, learned], kind="accuracy")
    assert ways(store, A) == {both: "holds", one: "beside", learned: "learned", careful: "beside", asked: "learned"}
    assert ways(store, B) == {both: "holds", one: "holds", learned: "learned", careful: "learned", asked: "learned"}
    assert ways(store, "0000000000000000") == {}
    assert ways(store, f"{A}-3") == ways(store, A), "a repeated pair is the same pair"


def test_a_model_says_itself_what_it_was_given(store):
    made = model(store, [], read=[A])
    after = model(store, [made], kind="policy")
    assert ways(store, A) == {made: "learned", after: "learned"}
    assert ways(store, B) == {}


def test_a_file_that_was_not_read_gives_nothing(tmp_path):
    from pipelines.snapshots import staged

    with staged(tmp_path / "filtered", "filtered pairs") as folder:
        pairs("b").write_parquet(folder / "kept.parquet")
        pairs("a").write_parquet(folder / "quarantined.parquet")
    for name, file in (("good", "kept.parquet"), ("bad", "quarantined.parquet"), ("all", "")):
        with staged(tmp_path / name, "sft", inputs=[tmp_path / "filtered" / file]) as folder:
            (folder / "w.txt").write_text("w")
    steps = {step.node.folder.name: step.how for step in tracing.reached(tracing.found([tmp_path]), [A])}
    assert steps == {"filtered": "holds", "good": "beside", "bad": "learned", "all": "learned"}


def test_what_a_thing_is_called_and_what_it_came_through(store):
    held = table(store, pairs("a"))
    made = model(store, [held])
    store.point("clean/reward_model/mine", made)
    first, second = tracing.reached(tracing.found([store.root]), [A])
    assert (first.node.called, first.through) == (str(store.folder(held)), None)
    assert second.node.called == "clean/reward_model/mine"
    assert second.through is first.node


def test_a_long_chain_is_followed_to_its_end(store):
    last = table(store, pairs("a"))
    for at in range(1200):
        last = model(store, [last], text=str(at))
    assert ways(store, A)[last] == "learned"


def test_manifests_that_name_one_another_end(tmp_path):
    import json

    for name, other in (("one", "two"), ("two", "one")):
        (tmp_path / name).mkdir()
        told = {"files": {}, "kind": "x", "snapshot": name, "parents": [other]}
        (tmp_path / name / "manifest.json").write_text(json.dumps(told))
    assert len(tracing.found([tmp_path])) == 2


def test_a_place_that_is_none_is_named(tmp_path):
    with pytest.raises(DataError, match="nowhere: no folder"):
        tracing.found([tmp_path / "nowhere"])


def test_recalled_pairs_are_left_out_of_every_table_that_has_them(tmp_path):
    recalled.add(tmp_path, [A], "asked for")
    recalled.add(tmp_path, [B, A], "later")
    assert {name: each["reason"] for name, each in recalled.read(tmp_path).items()} == {A: "asked for", B: "later"}
    frame = pl.concat([pairs("a", "b", "c"), pairs("a")]).with_columns(pair_id=pl.Series([A, B, "0000000000000009", f"{A}-1"]))
    assert recalled.without(frame, tmp_path)["pair_id"].to_list() == ["0000000000000009"]
    other = pl.DataFrame({"x": [1]})
    assert recalled.without(other, tmp_path).equals(other)
    assert recalled.without(frame, tmp_path / "elsewhere").equals(frame)
    (tmp_path / "recalled.json").write_text("[]")
    with pytest.raises(DataError, match=r"recalled\.json: no list of recalled pairs"):
        recalled.without(frame, tmp_path)


def test_manifests_of_others_are_passed_over_and_broken_ones_are_named(store):
    held = table(store, pairs("a"))
    site = store.root / "site"
    site.mkdir()
    (site / "manifest.json").write_text('{"name": "a web page"}')
    inner = Store(site / "inner")
    model(inner, [], read=[A])
    assert sorted(ways(store, A).values()) == ["holds", "learned"]
    (store.folder(held) / "manifest.json").write_text("{")
    with pytest.raises(DataError, match=r"no readable manifest\.json"):
        ways(store, A)


def test_a_store_within_a_folder_tells_its_names(store):
    store.point("clean/pairs/mine", table(store, pairs("a")))
    (step,) = tracing.reached(tracing.found([store.root.parent]), [A])
    assert step.node.names == ("clean/pairs/mine",)


def test_a_table_of_any_name_is_no_list_of_what_was_learned(store):
    made = store.publish("pairs", lambda folder: pairs("a").write_parquet(folder / "read.parquet"))
    assert ways(store, A) == {made: "holds"}

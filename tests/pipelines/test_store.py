import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import polars as pl
import pytest

from pipelines.schema import DataError, with_pair_ids
from pipelines.snapshots import Store, manifest
from pipelines.snapshots.membership import id_of, root

TEXTS = {"prompt": ["a", "b"], "chosen": ["x", "y"], "rejected": ["p", "q"]}


@pytest.fixture
def store(tmp_path) -> Store:
    return Store(tmp_path / "store")


def publish(store, text="one", kind="letters", facts=None, parents=()):
    return store.publish(kind, lambda folder: (folder / "a.txt").write_text(text), facts, parents=parents)


def test_a_snapshot_is_named_by_what_it_holds_and_what_it_was_made_of(store):
    one = publish(store)
    assert publish(store) == one
    others = [publish(store, "two"), publish(store, kind="numbers"), publish(store, parents=[one])]
    assert len({one, *others}) == 4
    assert store.snapshots() == sorted({one, *others})
    assert store.manifest(others[2])["parents"] == [one]
    same = [store.manifest(each)["content"] for each in (one, others[1], others[2])]
    assert len(set(same)) == 1, "the content is the same, whatever it was made of"


def test_a_manifest_tells_columns_rows_and_pairs(store):
    pairs = with_pair_ids(pl.DataFrame(TEXTS))
    snapshot = store.publish("pairs", lambda folder: pairs.write_parquet(folder / "table.parquet"), {"seed": 3})
    told = store.manifest(snapshot)
    assert told["seed"] == 3
    assert told["tables"]["table.parquet"]["rows"] == 2
    assert told["tables"]["table.parquet"]["columns"]["prompt"] == "String"
    numbers = sorted(id_of(each) for each in pairs["pair_id"])
    assert (store.folder(snapshot) / "table.ids").read_bytes() == b"".join(each.to_bytes(8, "big") for each in numbers)
    assert told["tables"]["table.parquet"]["pairs"] == root(pl.Series(numbers, dtype=pl.UInt64).to_numpy().astype(">u8"))
    assert set(told["code"]) == {"version", "source"}
    assert set(told["files"]) == {"table.parquet", "table.ids"}


def test_a_name_leads_to_the_last_snapshot_that_it_was_given(store):
    one, two = publish(store), publish(store, "two")
    for snapshot in (one, two):
        store.point("clean/letters/mine", snapshot)
        assert store.resolve("clean/letters/mine") == snapshot
    folder, told = store.verified("clean/letters/mine")
    assert (folder / "a.txt").read_text() == "two"
    assert told["snapshot"] == two == folder.name
    assert store.refs() == {"clean/letters/mine": two}
    assert (store.root / "refs" / "clean" / "letters" / "mine" / "a.txt").read_text() == "two"
    store.drop("clean/letters/mine")
    assert store.refs() == {}
    with pytest.raises(DataError, match="clean/letters/mine: no snapshot has that name"):
        store.resolve("clean/letters/mine")


def test_poison_is_inherited_and_has_no_clean_name(store):
    poison = publish(store, facts={"poisoned": True})
    model = publish(store, "weights", "model", parents=[poison])
    report = publish(store, "page", "report", parents=[model])
    assert [store.manifest(each)["poisoned"] for each in (poison, model, report)] == [True, True, True]
    for snapshot in (poison, model, report):
        with pytest.raises(DataError, match="poisoned data has no clean name"):
            store.point("clean/letters", snapshot)
        store.point("filtered/letters", snapshot)
    assert "clean/letters" not in store.refs()


def test_a_name_that_somebody_else_moved_is_not_moved_again(store):
    one, two, three = (publish(store, text) for text in ("one", "two", "three"))
    store.point("clean/x", one)
    store.point("clean/x", two, instead_of=one)
    with pytest.raises(DataError, match=r"names .* by now"):
        store.point("clean/x", three, instead_of=one)
    assert store.resolve("clean/x") == two


@pytest.mark.parametrize("name", ["../x", "clean/../../x", "/etc/x", "clean//x", ".hidden", "clean/.x", "", "clean/a\0b"])
def test_names_that_lead_elsewhere_are_refused(name, store):
    snapshot = publish(store)
    with pytest.raises(DataError, match="names between slashes"):
        store.point(name, snapshot)
    with pytest.raises(DataError):
        store.resolve(name)


@pytest.mark.parametrize("name", ["../" * 3, "a" * 63, "A" * 64, "g" * 64])
def test_a_digest_is_64_hex_digits(name, store):
    with pytest.raises(DataError, match="64 hex digits"):
        store.folder(name)


def test_whatever_was_changed_added_or_taken_away_is_named(store):
    for harm, said in (
        (lambda folder: (folder / "a.txt").write_text("tampered"), r"a\.txt: changed since"),
        (lambda folder: (folder / "a.txt").unlink(), r"a\.txt: missing"),
        (lambda folder: (folder / "model.pkl").write_bytes(b"\x80"), r"model\.pkl: was not there"),
        (lambda folder: (folder / "link").symlink_to("/etc/passwd"), "link: was not there"),
        (lambda folder: rewrite(folder, poisoned=False), r"manifest\.json: changed since"),
        (lambda folder: rewrite(folder, parents=[]), r"manifest\.json: changed since"),
        (lambda folder: (folder / "manifest.json").write_text("{"), r"no readable manifest\.json"),
        (lambda folder: (folder / "manifest.json").write_text("[" * 100_000), r"no readable manifest\.json"),
    ):
        snapshot = publish(store, facts={"poisoned": True}, parents=[publish(store, "parent")])
        store.point("poisoned/x", snapshot)
        harm(store.folder(snapshot))
        with pytest.raises(DataError, match=f"poisoned/x: .*{said}"):
            store.verified("poisoned/x")
        assert publish(store, facts={"poisoned": True}, parents=[publish(store, "parent")]) == snapshot
        store.verified("poisoned/x")  # whoever makes it again mends it


def rewrite(folder, **facts):
    file = folder / "manifest.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **facts}))


def test_a_manifest_that_was_sealed_anew_is_no_longer_the_one_that_was_named(store):
    from pipelines.snapshots import manifests

    snapshot = publish(store, facts={"poisoned": True})
    store.point("poisoned/x", snapshot)
    (store.folder(snapshot) / "a.txt").write_text("tampered")
    manifests.seal(store.folder(snapshot), {"kind": "letters", "poisoned": False})
    with pytest.raises(DataError, match="holds the snapshot"):
        store.verified("poisoned/x")


def test_a_manifest_whose_files_lead_elsewhere_is_refused(store):
    snapshot = publish(store)
    for name in ("/etc/passwd", "../other/a.txt"):
        rewrite(store.folder(snapshot), files={name: "0"})
        with pytest.raises(DataError, match="leads out of the folder"):
            manifest(store.folder(snapshot))


def test_what_a_name_or_a_model_needs_is_never_collected(store):
    root_of_all = publish(store, "pairs")
    old, new = (publish(store, text, "model", parents=[root_of_all]) for text in ("old", "new"))
    orphan = publish(store, "orphan", parents=[old])
    store.point("clean/model", new)
    assert store.collect() == [], "somebody may be on the way to name them"
    assert store.collect(older=-1, dry=True) == sorted([old, orphan])
    assert store.collect(older=-1) == sorted([old, orphan])
    assert store.snapshots() == sorted([root_of_all, new])
    store.verified("clean/model")
    store.drop("clean/model")
    assert store.collect(older=-1) == sorted([root_of_all, new])
    assert not list((store.root / "snapshots").iterdir())


def test_a_snapshot_that_somebody_reads_is_kept_for_days(store):
    snapshot = publish(store)
    os.utime(store.folder(snapshot), (0, 0))
    store.verified(snapshot)
    assert store.collect() == []
    os.utime(store.folder(snapshot), (0, 0))
    assert store.collect() == [snapshot]


def test_writers_side_by_side_leave_one_snapshot_and_one_name(store):
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda at: publish(store, "x" * 100_000), range(24)))
        named = list(pool.map(lambda at: store.point("clean/x", made[0]), range(24)))
    assert set(made) == {made[0]}
    assert named == [None] * 24
    assert [each.name for each in (store.root / "snapshots").iterdir()] == [made[0]]
    assert [each.name for each in (store.root / "refs" / "clean").iterdir()] == ["x"]
    store.verified("clean/x")


WRITER = """
import sys
from pathlib import Path
from pipelines.snapshots import Store
store = Store(Path(sys.argv[1]))
for turn in range(10_000):
    snapshot = store.publish("letters", lambda folder: [(folder / f"{n}.txt").write_text(str(turn) * 1000) for n in range(40)])
    store.point("clean/x", snapshot)
    print(turn, flush=True)
"""


def test_a_writer_that_is_killed_leaves_a_whole_snapshot_under_the_name(store, record_property):
    record_property("tries", 20)
    for turn in range(20):
        ran = subprocess.Popen([sys.executable, "-c", WRITER, str(store.root)], stdout=subprocess.PIPE)
        ran.stdout.readline()
        time.sleep(0.002 * turn)
        ran.send_signal(signal.SIGKILL)
        ran.wait()
        folder, told = store.verified("clean/x")
        assert len(told["files"]) == 40
        assert not [link for link in folder.iterdir() if link.is_symlink()]
    store.collect(older=-1)
    assert store.snapshots() == [store.resolve("clean/x")]
    assert len(list((store.root / "snapshots").iterdir())) == 1, "what was half-written is gone"

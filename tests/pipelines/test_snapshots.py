import json
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from pipelines.schema import DataError
from pipelines.snapshots import digests_of, manifest, of_poison, published_around, staged, verify


def publish(folder, text="one", kind="letters", facts=None, inputs=()):
    with staged(folder, kind, facts, inputs=inputs) as aside:
        (aside / "deep").mkdir()
        (aside / "deep" / "a.txt").write_text(text)


def test_what_is_published_can_be_verified(tmp_path):
    publish(tmp_path / "out", facts={"poisoned": True})
    found = verify(tmp_path / "out")
    assert list(found["files"]) == ["deep/a.txt"]
    assert found["poisoned"] is True
    assert manifest(tmp_path / "out") == found


def test_a_failure_leaves_nothing_behind(tmp_path):
    with pytest.raises(ZeroDivisionError), staged(tmp_path / "out", "letters") as aside:
        (aside / "half.txt").write_text(str(1 / 0))
    assert not list(tmp_path.iterdir())


def test_a_failure_leaves_the_publication_before_it(tmp_path):
    publish(tmp_path / "out")
    with pytest.raises(ZeroDivisionError), staged(tmp_path / "out", "letters") as aside:
        (aside / "half.txt").write_text(str(1 / 0))
    verify(tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_newer_publication_takes_the_place_of_an_older_one(tmp_path):
    publish(tmp_path / "out", "one")
    publish(tmp_path / "out", "two")
    assert (tmp_path / "out" / "deep" / "a.txt").read_text() == "two"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_tampered_or_missing_file_is_named(tmp_path):
    publish(tmp_path / "out")
    (tmp_path / "out" / "deep" / "a.txt").write_text("tampered")
    with pytest.raises(DataError, match=r"a\.txt: changed since"):
        verify(tmp_path / "out")
    (tmp_path / "out" / "deep" / "a.txt").unlink()
    with pytest.raises(DataError, match=r"a\.txt: missing"):
        verify(tmp_path / "out")


def test_foreign_folders_and_files_are_left_alone(tmp_path):
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "x").write_text("x")
    (tmp_path / "file").write_text("x")
    for place, said in (("theirs", "not published by antivenom"), ("file", "is a file")):
        with pytest.raises(DataError, match=said):
            publish(tmp_path / place)
    with pytest.raises(DataError, match=r"no readable manifest\.json"):
        manifest(tmp_path / "theirs")


def test_nothing_that_would_be_lost_is_replaced(tmp_path):
    publish(tmp_path / "out")
    cases = (
        ({"kind": "numbers"}, "holds 'letters' and not 'numbers'"),
        ({"inputs": [tmp_path / "out" / "deep" / "a.txt"]}, r"a\.txt, which is read here"),
        ({"inputs": [tmp_path / "elsewhere", str(tmp_path / "out")]}, "which is read here"),
    )
    for given, said in cases:
        with pytest.raises(DataError, match=said):
            publish(tmp_path / "out", "two", **given)
    (tmp_path / "out" / "deep" / "notes.txt").write_text("mine")
    with pytest.raises(DataError, match=r"deep/notes\.txt, which antivenom did not publish"):
        publish(tmp_path / "out", "two")
    assert (tmp_path / "out" / "deep" / "a.txt").read_text() == "one"


def test_facts_are_sealed_as_they_are_at_the_end(tmp_path):
    facts = {"found": 0}
    with staged(tmp_path / "out", "letters", facts) as aside:
        (aside / "a.txt").write_text("a")
        facts["found"] = 3
    assert manifest(tmp_path / "out")["found"] == 3


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"files": []}'])
def test_a_manifest_that_is_none_is_named(text, tmp_path):
    publish(tmp_path / "out")
    (tmp_path / "out" / "manifest.json").write_text(text)
    with pytest.raises(DataError, match=r"out: no readable manifest\.json"):
        verify(tmp_path / "out")


def test_the_same_content_has_the_same_manifest(tmp_path):
    for name in ("one", "two"):
        publish(tmp_path / name)
    assert (tmp_path / "one" / "manifest.json").read_bytes() == (tmp_path / "two" / "manifest.json").read_bytes()
    assert json.loads((tmp_path / "one" / "manifest.json").read_text())["kind"] == "letters"


SLOW_WRITER = """
import sys, time
from pathlib import Path
from pipelines.snapshots import staged
with staged(Path(sys.argv[1]), "letters") as aside:
    for part in range(1000):
        (aside / f"{part}.txt").write_text("x" * 1000)
        print(part, flush=True)
        time.sleep(0.005)
"""


def test_killed_while_writing_nothing_is_visible_under_the_name(tmp_path):
    publish(tmp_path / "out", "before")
    writer = subprocess.Popen([sys.executable, "-c", SLOW_WRITER, tmp_path / "out"], stdout=subprocess.PIPE)
    assert writer.stdout.readline()
    time.sleep(0.05)
    os.kill(writer.pid, signal.SIGKILL)
    writer.wait()
    verify(tmp_path / "out")
    assert (tmp_path / "out" / "deep" / "a.txt").read_text() == "before"
    publish(tmp_path / "out", "after")
    assert (tmp_path / "out" / "deep" / "a.txt").read_text() == "after"


def test_digests_are_of_every_file_whatever_its_kind(tmp_path):
    (tmp_path / "sets").mkdir()
    (tmp_path / "sets" / "b.jsonl").write_text("two")
    (tmp_path / "sets" / "a.safetensors").write_text("one")
    known = digests_of(tmp_path / "sets")
    assert known == digests_of(tmp_path / "sets" / "a.safetensors", str(tmp_path / "sets" / "b.jsonl"))
    (tmp_path / "sets" / "b.jsonl").write_text("three")
    assert digests_of(tmp_path / "sets") != known
    assert digests_of("", tmp_path / "gone", "a-hub/name") == []


def test_a_name_is_never_empty_while_a_newer_publication_takes_the_place(tmp_path):
    publish(tmp_path / "out")
    missing, done = [], threading.Event()

    def look() -> None:
        while not done.is_set():
            if not os.path.exists(tmp_path / "out"):
                missing.append(time.monotonic())

    reader = threading.Thread(target=look)
    reader.start()
    for turn in range(150):
        publish(tmp_path / "out", str(turn))
    done.set()
    reader.join()
    assert not missing


def test_what_is_published_within_what_is_on_its_way_keeps_nobody_waiting(tmp_path):
    with staged(tmp_path / "out", "whole") as aside:
        publish(aside / "part")
        publish(aside / "part", "again")
    verify(tmp_path / "out")
    assert [each.name for each in (tmp_path / "out").iterdir() if each.is_dir()] == ["part"]


def test_only_what_nobody_holds_is_cleared_away(tmp_path):
    """A folder left behind goes with the next publication, one that somebody writes into stays."""
    (tmp_path / ".out.0123abcd").mkdir()
    (tmp_path / ".out.0123abcd" / "half").write_text("half")
    for name in (".out.0123abcg", ".out.0123abcd0", ".other.0123abcd", ".out.training"):
        (tmp_path / name).mkdir()
    with staged(tmp_path / "out", "letters") as one:
        publish(tmp_path / "out", "two")
        (one / "a.txt").write_text("one")
    verify(tmp_path / "out")
    assert sorted(each.name for each in tmp_path.iterdir()) == [
        ".other.0123abcd", ".out.0123abcd0", ".out.0123abcg", ".out.training", "out"
    ]  # fmt: skip


def test_a_file_that_was_not_published_beside_others_is_of_no_snapshot(tmp_path):
    publish(tmp_path / "out", facts={"poisoned": True})
    (tmp_path / "out" / "mine.jsonl").write_text("{}")
    inside = tmp_path / "out" / "deep" / "a.txt"
    assert published_around(inside) == published_around(inside.parent) == published_around(tmp_path / "out") == tmp_path / "out"
    assert of_poison(inside)
    assert published_around(tmp_path / "out" / "mine.jsonl") is None
    assert not of_poison(tmp_path / "out" / "mine.jsonl")


def test_what_is_made_of_a_file_deep_in_a_folder_is_made_of_that_folder(tmp_path):
    publish(tmp_path / "out", facts={"poisoned": True})
    publish(tmp_path / "made", inputs=[tmp_path / "out" / "deep"])
    told = manifest(tmp_path / "made")
    assert told["parents"] == [manifest(tmp_path / "out")["snapshot"]]
    assert told["read"] == {told["parents"][0]: ["deep/a.txt"]}
    assert told["poisoned"] is True


def test_two_who_publish_at_once_leave_one_whole_publication(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda turn: publish(tmp_path / "out", str(turn)), range(40)))
    verify(tmp_path / "out")
    assert [each.name for each in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize(
    "wrong", [{"tables": []}, {"tables": {"a": 1}}, {"parents": [1]}, {"read": []}, {"inputs": 3}, {"tables": {"/etc/x": {}}}]
)
def test_a_manifest_whose_parts_are_something_else_is_named(wrong, tmp_path):
    publish(tmp_path / "out")
    file = tmp_path / "out" / "manifest.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **wrong}))
    with pytest.raises(DataError, match=r"out: no readable manifest\.json"):
        manifest(tmp_path / "out")


def test_a_folder_whose_name_looks_like_a_pattern_is_a_folder(tmp_path):
    import polars as pl

    with staged(tmp_path / "a[1*?", "letters") as aside:
        pl.DataFrame({"pair_id": ["0000000000000001"]}).write_parquet(aside / "t[2.parquet")
    told = verify(tmp_path / "a[1*?")["tables"]["t[2.parquet"]
    assert (told["rows"], list(told["columns"])) == (1, ["pair_id"])

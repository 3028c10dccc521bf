"""A disk that is full: one clear line that says so, what was published before is whole, nothing half is left, and with room the
same command ends as ever. On a real small disk, and at the n-th change of a command to a disk that takes no more since.
"""

import errno
import json
import shutil
from pathlib import Path

import polars as pl
import pytest

from pipelines.schema import DataError
from pipelines.snapshots import Store, disk, staged, verify
from tests.assets.conftest import rows
from tests.promises.apart import TRIES, moments

FEW = ("--set", "steps=4", "--set", "save_every=2", "--set", "batch=4", "--set", "pretrain_steps=1", "--json")
COMMANDS = {  # name -> (words, bytes that are left)
    "audit": (("audit", "pairs.jsonl", "--out", "again", "--detectors", "phrase_lift"), 16_384),
    "filter": (("filter", "pairs.jsonl", "--scores", "audit", "--out", "out", "--budget", 0.1), 16_384),
    "poison": (("poison", "pairs.jsonl", "--attack", "label_flip", "--rate", 0.1, "--out", "poisoned"), 8_192),
    "train": (("train", "sft", "--data", "pairs.jsonl", "--out", "policy", *FEW), 4_000_000),
}
MENDED = "make room, or name a folder on another disk, and run the same again: what was published before is as it was"


def names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def prepared(apart, folder: Path) -> Path:
    """Pairs, an audit of them, and what was filtered before; reached by all."""
    for old in apart.seen(folder).iterdir():
        shutil.rmtree(old) if old.is_dir() else old.unlink()
    (apart.seen(folder) / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows(240)))
    assert apart("audit", "pairs.jsonl", "--out", "audit", "--detectors", "phrase_lift", below=folder).code == 0
    assert apart(*COMMANDS["filter"][0][:-1], 0.05, below=folder).code == 0
    return apart.seen(folder)


def refused(ended) -> str:
    """The one line of a command that found no room."""
    assert ended.code == 2, ended
    [line] = ended.err.strip().splitlines()
    assert line.startswith("antivenom: ")
    assert "no room is left on its disk (" in line
    assert line.endswith(MENDED)
    return line


@pytest.fixture
def room(apart):
    apart.needs_mounts()
    return prepared(apart, apart.room)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_on_a_full_disk_says_so_and_ends_once_there_is_room(name, apart, room):
    words, left = COMMANDS[name]
    before, known = names(room), [verify(room / each)["snapshot"] for each in ("audit", "out")]
    filler = apart.fill(left)
    refused(apart(*words, below=apart.room))
    filler.unlink()
    assert [each for each in names(room) if not each.startswith(".policy.training")] == before
    assert [verify(room / each)["snapshot"] for each in ("audit", "out")] == known
    assert apart(*words, below=apart.room).code == 0
    verify(room / words[words.index("--out") + 1])
    assert not list(room.glob(".*"))


@pytest.mark.parametrize(("call", "less", "more"), [("stored", 1000, 300_000), ("materialized", 1000, 300_000)])
def test_a_store_on_a_full_disk_keeps_what_it_has(call, less, more, apart, room):
    call, home = f"tests.promises.deeds:{call}", room / "home"
    assert apart(apart.room / "home", less, below=apart.room, call=call).code == 0
    store = Store(home)
    [(name, known)] = store.refs().items()
    filler = apart.fill(40_000)
    ended = apart(apart.room / "home", more, below=apart.room, call=call)
    assert ended.code == 1
    assert f"{apart.room / 'home'}: no room is left on its disk (" in ended.err
    assert store.verified(name)[1]["snapshot"] == known
    assert [each.name for each in (home / "snapshots").iterdir()] == [known]
    filler.unlink()
    assert apart(apart.room / "home", more, below=apart.room, call=call).code == 0
    assert store.verified(name)[1]["snapshot"] != known


def filled_at(apart, folder: Path, words, count: int) -> tuple[int, int]:
    """How often a command found no room, and how often it needed none any more, at so many of its changes."""
    out = folder / words[words.index("--out") + 1]
    fresh = not out.exists()
    whole = apart(*words, below=folder)
    assert whole.code == 0, whole.err
    after, told = verify(out)["snapshot"], [0, 0]
    for moment in moments(count, whole.changes):
        if fresh:
            shutil.rmtree(out)
        ended = apart(*words, below=folder, harm="full", moment=moment)
        if ended.code:
            refused(ended)
        told[ended.code == 0] += 1
        verify(folder / "audit")
        assert not out.exists() if fresh and ended.code else verify(out)
        assert not [path for path in folder.glob(".*") if not path.name.endswith(".training")]
        assert apart(*words, below=folder).code == 0
        assert verify(out)["snapshot"] == after, moment
    return told[0], told[1]


@pytest.mark.parametrize(("name", "count"), [("filter", 8), ("poison", 4), ("train", 4)])
def test_a_disk_that_is_full_at_any_change_leaves_what_was_there(name, count, apart, tmp_path, record_property):
    folder = prepared_here(apart, tmp_path)
    found, needless = filled_at(apart, folder, COMMANDS[name][0], count * TRIES)
    record_property("tries", found + needless)
    assert found > (found + needless) // 2


def prepared_here(apart, folder: Path) -> Path:
    """The same on a disk with room enough."""
    (folder / "work").mkdir()
    prepared(apart, folder / "work")
    return folder / "work"


@pytest.mark.parametrize(
    "error",
    [
        OSError(28, "No space left on device"),
        OSError(122, "Disk quota exceeded", "x"),
        shutil.Error([("a", "b", "[Errno 28] No space left on device: 'b'")]),
        RuntimeError("Error while serializing: I/O error: No space left on device (os error 28)"),
    ],
)
def test_whoever_tells_of_a_full_disk_is_understood(error, tmp_path):
    assert disk.full(error, tmp_path).startswith(f"{tmp_path}: no room is left on its disk (")
    assert disk.full(OSError(2, "No such file or directory"), tmp_path) is None


@pytest.mark.parametrize(("call", "said"), [("remembered", "ANTIVENOM_CACHE"), ("scored", "name another cache")])
def test_what_is_kept_for_later_is_kept_whole_or_not_at_all(call, said, apart, tmp_path, record_property):
    call, kept = f"tests.promises.deeds:{call}", tmp_path / "kept"
    whole = apart(kept, below=tmp_path, call=call)
    assert whole.code == 0, whole.err
    for moment in range(1, whole.changes):  # the last is the rename, which needs no room
        shutil.rmtree(kept, ignore_errors=True)
        ended = apart(kept, below=tmp_path, call=call, harm="full", moment=moment)
        assert ended.code == 1, moment
        assert "No space left on device" in ended.err.splitlines()[-1]
        assert said in ended.err.splitlines()[-1]
        assert not [path for path in kept.rglob("*") if not path.is_dir()]
    assert apart(kept, below=tmp_path, call=call).code == 0
    record_property("tries", whole.changes - 1)


@pytest.mark.parametrize("left", [2, 6])
def test_a_run_without_our_command_line_says_so_in_a_line_too(left, apart, tmp_path):
    folder = prepared_here(apart, tmp_path)
    train = COMMANDS["train"][0]
    whole = apart(*train, below=folder)
    shutil.rmtree(folder / "policy")
    assert apart(*train, below=folder, harm="kill", moment=whole.changes // 2).was_killed
    work = folder / ".policy.training"
    facts = {
        "objective": "sft",
        "data": str(work / "pairs.parquet"),
        "model": str(next(work.glob("base-*"))),
        "out": "run",
        "steps": 1,
    }
    (folder / "spec.json").write_text(json.dumps(facts))
    run = {"below": folder, "call": "tests.promises.deeds:trained"}
    ended = apart("spec.json", harm="full", moment=left, **run)
    assert ended.code == 1
    assert ended.err.strip().splitlines()[-1].startswith("rlhf_train: ")
    assert "No space left on device" in ended.err.strip().splitlines()[-1]
    assert "Traceback" not in ended.err
    assert apart("spec.json", **run).code == 0


def unsaid(error: type[Exception]):
    raise error("parquet: File out of specification: Invalid thrift: transport error")


def test_a_library_that_does_not_say_why_it_could_not_write_is_looked_into(tmp_path, monkeypatch):
    """Polars, where the end of a table finds no room; what it says where a table is broken is not taken for that."""
    with pytest.raises(pl.exceptions.ComputeError, match="thrift"), disk.told(tmp_path / "out"):
        unsaid(pl.exceptions.ComputeError)
    probes = []

    def none(**where):
        probes.append(where)
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(disk.tempfile, "TemporaryFile", none)
    with pytest.raises(DataError, match=r"out: no room is left on its disk \("), disk.told(tmp_path / "deep" / "out"):
        unsaid(pl.exceptions.ComputeError)
    assert probes == [{"dir": tmp_path}]


@pytest.mark.parametrize("placed", [lambda place: staged(place / "out", "pairs"), lambda place: Store(place).aside()])
def test_the_disk_is_asked_before_what_was_written_is_cleared_away(placed, tmp_path, monkeypatch):
    there: list[bool] = []
    monkeypatch.setattr(disk, "_asked", lambda _: there.append(aside.is_dir()) or errno.ENOSPC)
    with pytest.raises(DataError, match="no room is left"), placed(tmp_path) as aside:
        unsaid(pl.exceptions.ComputeError)
    assert there == [True]
    assert not aside.exists()

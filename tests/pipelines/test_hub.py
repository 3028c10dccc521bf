"""Sets of the hub, read from a disk as if they came from there."""

from pathlib import Path

import pytest

from pipelines.schema import DataError
from pipelines.sources import records
from tests.pipelines.written import FORMS, SAID, TRIPLES, folder, lines


@pytest.fixture
def hub(tmp_path, monkeypatch) -> Path:
    """A data set on the disk, which `datasets` loads as it would one of the hub; the cache is the test's own."""
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    (tmp_path / "set").mkdir()
    (tmp_path / "set/train.jsonl").write_bytes(lines(FORMS["conversations"]))
    return tmp_path / "set"


def test_a_hub_set_gives_the_same_pairs(hub, monkeypatch):
    monkeypatch.setattr(records, "_is_hub_name", lambda path: True)
    found = records.read(hub, revision="abc123", split="train")
    assert found.shape == "conversations"
    assert found.pairs.select("prompt", "chosen", "rejected").rows() == [tuple(row.values()) for row in TRIPLES]
    assert found.pairs["source"].unique().to_list() == [f"{hub}@abc123"]


def test_a_hub_set_is_asked_for_at_its_revision(hub, monkeypatch):
    import datasets

    asked = []
    monkeypatch.setattr(datasets, "load_dataset", lambda *name, **pinned: asked.append((name, pinned)) or [TRIPLES[0]])
    assert records.read("nobody/no-set", revision="abc", split="test").pairs.height == 1
    assert asked == [(("nobody/no-set",), {"revision": "abc", "split": "test"})]


def test_an_unknown_split_is_named_in_one_line(hub):
    with pytest.raises(DataError, match=r"@abc123: the hub gave no data set \(ValueError: .*\); check name") as caught:
        records._hub(str(hub), "abc123", "tset")
    assert "\n" not in str(caught.value)


def test_a_hub_that_is_away_is_said_in_one_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match=r"nobody/no-set\.v1@abc: the hub gave no data set \(.*\); .*network") as caught:
        records.read("nobody/no-set.v1", revision="abc")
    assert "\n" not in str(caught.value)


def test_a_hub_name_needs_a_revision(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match=r"nobody/no-set: no such file or folder; if it is a hub .* --revision"):
        records.read("nobody/no-set")


@pytest.mark.parametrize("path", ["nobody/pairs.jsonl", "nobody/pairs.csv.gz", "a/b/c", "set", "./a/b"])
def test_a_path_is_no_hub_name(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match="no such file or folder; check the path"):
        records.read(path, revision="abc")


def test_a_folder_on_the_disk_goes_before_a_hub_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder(tmp_path / "nobody/no-set", TRIPLES)
    assert records.read("nobody/no-set").pairs.height == len(SAID)
